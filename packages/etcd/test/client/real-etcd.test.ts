import { clientSuite } from "./suite.ts";
import { noRealEtcd, REAL_ETCD, RealEtcd } from "./test-store.ts";

clientSuite(`the real etcd (${REAL_ETCD})`, () => RealEtcd.start(), noRealEtcd);
