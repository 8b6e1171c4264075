// Calls as nobody should make them, one after the other, to a real etcd 3.4 and to ours: answered alike.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { embedded, realEtcd } from "./support/servers.ts";
import { Comparison } from "./support/v2-comparison.ts";
import { V2Client } from "./support/v2-client.ts";
import type { V2Call } from "./support/v2-client.ts";

const version = await promisify(execFile)("etcd", ["--version"]).then(
  ({ stdout }) => stdout,
  () => "",
);
const skip = /etcd Version: 3\.4/.test(version) ? false : "no etcd 3.4 here: it is the last that serves v2";

const call = (method: string, path: string, form?: string): V2Call => ({
  method,
  path,
  ...(form === undefined ? {} : { form }),
});

const calls: readonly V2Call[] = [
  // Paths
  call("PUT", "/v2/keys/a/", "value=1"),
  call("GET", "/v2/keys/a"),
  call("GET", "/v2/keys/a//"),
  call("GET", "/v2/keys/./a?recursive=true"),
  call("GET", "/v2/keys/x/../a"),
  call("GET", "/v2/keys/../keys/a"),
  call("GET", "/v2/keys//a b".replace(" ", "%20")),
  call("PUT", "/v2/keys/p%2Fq", "value=1"),
  call("GET", "/v2/keys/p/q"),
  call("PUT", "/v2/keys/%C3%BC", "value=1"),
  call("PUT", "/v2/keys/a+b", "value=1"),
  call("GET", "/v2/keys/a%2Bb"),
  call("PUT", "/v2/keys/%20", "value=1"),
  call("PUT", "/v2/keys/%3F%23%5C", "value=1"),
  call("GET", "/v2/keys/?recursive=true&sorted=true"),
  call("GET", "/v2/keysa"),
  call("GET", "/v2/key"),
  call("GET", "/v2/"),
  call("GET", "/v2"),
  // Verbs
  call("HEAD", "/v2/keys/a"),
  call("PATCH", "/v2/keys/a"),
  call("TRACE", "/v2/keys/a"),
  call("DELETE", "/v2/machines"),
  call("POST", "/v2/stats/self", ""),
  call("GET", "/v2/stats"),
  call("GET", "/v2/stats/else"),
  call("PATCH", "/v2/members"),
  call("DELETE", "/v2/members"),
  call("DELETE", "/v2/members/zzz"),
  call("GET", "/v2/members/else"),
  // Fields
  call("PUT", "/v2/keys/f", "value=1&value=2"),
  call("PUT", "/v2/keys/f?value=query", ""),
  call("PUT", "/v2/keys/f?value=query", "value=form"),
  call("PUT", "/v2/keys/f"),
  call("PUT", "/v2/keys/f", "value"),
  call("PUT", "/v2/keys/f", "=1&&value=2"),
  call("PUT", "/v2/keys/f", "value=%"),
  call("PUT", "/v2/keys/f", "value=%4"),
  call("PUT", "/v2/keys/f", "value=%4x5"),
  call("PUT", "/v2/keys/f?x=%zz", "value=%yy"),
  call("PUT", "/v2/keys/f", "value=a;b=c"),
  call("PUT", "/v2/keys/f", "value=%FF%FE"),
  call("PUT", "/v2/keys/f", "value=%00"),
  call("PUT", "/v2/keys/f", "value=x&ttl=1.5"),
  call("PUT", "/v2/keys/f", "value=x&ttl=abc"),
  call("PUT", "/v2/keys/f", "value=x&ttl=+5"),
  call("PUT", "/v2/keys/f", "value=x&ttl=5_0"),
  call("PUT", "/v2/keys/f", "value=x&ttl=%2010"),
  call("PUT", "/v2/keys/f", "value=x&prevIndex=0"),
  call("PUT", "/v2/keys/f", "value=x&prevIndex=00000"),
  call("PUT", "/v2/keys/f", "value=x&prevExist=yes"),
  call("PUT", "/v2/keys/f", "value=x&prevExist=1"),
  call("PUT", "/v2/keys/f", "value=x&PREVEXIST=false"),
  call("PUT", "/v2/keys/f", "value=x&refresh=true&ttl=100"),
  call("PUT", "/v2/keys/f", "refresh=true"),
  call("PUT", "/v2/keys/f", "refresh=false&value=y"),
  call("PUT", "/v2/keys/new", "refresh=true&ttl=1000"),
  call("PUT", "/v2/keys/f", "refresh=true&ttl=1000"),
  call("PUT", "/v2/keys/f", "refresh=true&ttl=2000&prevValue=y"),
  call("PUT", "/v2/keys/f", "prevExist=true&prevValue=y&value=z"),
  call("PUT", "/v2/keys/f", "prevExist=false&prevValue=y&value=z"),
  call("PUT", "/v2/keys/f", "wait=false&stream=true&value=1"),
  call("GET", "/v2/keys/f?quorum=perhaps"),
  call("GET", "/v2/keys/f?sorted=&recursive=1"),
  // Directories
  call("PUT", "/v2/keys/d", "dir=true&value=ignored"),
  call("PUT", "/v2/keys/d", "dir=false"),
  call("PUT", "/v2/keys/d", "prevExist=true&value=x"),
  call("PUT", "/v2/keys/d", "prevValue=x&value=y"),
  call("PUT", "/v2/keys/d", "prevExist=true"),
  call("DELETE", "/v2/keys/d?prevValue=x"),
  call("DELETE", "/v2/keys/d?prevIndex=3"),
  call("DELETE", "/v2/keys/d/none?prevIndex=3"),
  call("POST", "/v2/keys/d/sub", "dir=true"),
  call("POST", "/v2/keys/a", "value=1"),
  call("POST", "/v2/keys", "value=1"),
  call("POST", "/v2/keys/d?wait=true", "value=1"),
  call("PUT", "/v2/keys", "value=1"),
  call("PUT", "/v2/keys", "dir=true"),
  call("PUT", "/v2/keys", "dir=true&prevExist=true"),
  call("PUT", "/v2/keys", "dir=true&prevExist=false"),
  call("PUT", "/v2/keys", "value=x&prevValue=y"),
  call("PUT", "/v2/keys", "refresh=true&ttl=5"),
  call("DELETE", "/v2/keys?recursive=true"),
  call("DELETE", "/v2/keys?prevValue=x"),
  call("DELETE", "/v2/keys?prevIndex=x"),
  call("PUT", "/v2/keys/a", "dir=true"),
  call("PUT", "/v2/keys/a/b/c/d", "value=deep"),
  call("DELETE", "/v2/keys/a?dir=true"),
  call("DELETE", "/v2/keys/a/b/c/d?dir=true"),
  call("DELETE", "/v2/keys/a/b/c?dir=true"),
  call("GET", "/v2/keys/_hidden?recursive=true"),
  call("PUT", "/v2/keys/_hidden/_more/x", "value=1"),
  call("GET", "/v2/keys/_hidden?recursive=true"),
  call("GET", "/v2/keys/_hidden/_more?recursive=true"),
  call("GET", "/v2/keys?recursive=true&sorted=true"),
];

test("odd calls are answered as etcd 3.4 answers them", { skip }, async () => {
  await using real = await realEtcd("etcd", ["--enable-v2"]);
  await using ours = await embedded();
  using theirs = new V2Client(real.address);
  using own = new V2Client(ours.address);
  const base = async (client: V2Client): Promise<number> =>
    Number((await client.call(call("GET", "/v2/keys"))).headers["x-etcd-index"]);
  const comparisons = [new Comparison(await base(theirs)), new Comparison(await base(own))] as const;
  const differences: unknown[] = [];
  for (const one of calls) {
    const expected = comparisons[0].answer(await theirs.call(one));
    const got = comparisons[1].answer(await own.call(one));
    try {
      assert.deepEqual(got, expected);
    } catch {
      differences.push({ call: `${one.method} ${one.path} ${one.form ?? ""}`, expected, got });
    }
  }
  assert.deepEqual(differences, []);
});
