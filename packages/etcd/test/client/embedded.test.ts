import { EmbeddedStore } from "./embedded-store.ts";
import { clientSuite } from "./suite.ts";

clientSuite("the embedded server", () => EmbeddedStore.start());
