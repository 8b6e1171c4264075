import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { quoteArgument, splitWords, UnitFile } from "@keelson/systemd";
import { KeelError } from "../../src/base/errors.ts";
import { nameFromImage, publishedPort, quadletFromRun } from "../../src/cli/quadlet-from-run.ts";
import type { RunRequest } from "../../src/cli/quadlet-from-run.ts";
import { readPlacement } from "../../src/model/placement/read-placement.ts";

const request = (more: Partial<RunRequest> = {}): RunRequest => ({
  image: "docker.io/library/nginx:1.27",
  name: undefined,
  replicas: undefined,
  ports: [],
  environment: [],
  volumes: [],
  networks: [],
  spread: false,
  command: [],
  ...more,
});

describe("keel run's Quadlet", () => {
  test("is what a person would have written", () => {
    const { name, text } = quadletFromRun(
      request({
        name: "web",
        replicas: 3,
        ports: ["8080"],
        environment: ["GREETING=hello you"],
        volumes: ["data.volume:/data"],
        networks: ["app.network"],
        spread: true,
        command: ["httpd", "-f", "100%"],
      }),
    );
    assert.equal(name, "web@.container");
    assert.equal(
      text,
      `[Unit]
Description=docker.io/library/nginx:1.27 as web

[Container]
Image=docker.io/library/nginx:1.27
PublishPort=8080
Environment="GREETING=hello you"
Volume=data.volume:/data
Network=app.network
Exec=httpd -f 100%%

[Service]
Restart=on-failure
RestartSec=1

[X-Fleet]
Conflicts=web@*.container
`,
    );
    assert.deepEqual(
      UnitFile.parse(text).getWords("Container", "Environment")[0]?.text,
      "GREETING=hello you",
    );
    assert.doesNotThrow(() => readPlacement(name, text));
  });

  test("without -n it is a unit, with -n a template", () => {
    assert.equal(quadletFromRun(request()).name, "nginx.container");
    assert.equal(quadletFromRun(request({ replicas: 1 })).name, "nginx@.container");
  });

  test("the name comes from the image", () => {
    const names = {
      nginx: "nginx",
      "docker.io/library/nginx:1.27": "nginx",
      "localhost:5000/team/shop": "shop",
      [`quay.io/a/b@sha256:${"0".repeat(64)}`]: "b",
    };
    for (const [image, name] of Object.entries(names)) assert.equal(nameFromImage(image), name);
  });

  test("ports", () => {
    for (const port of ["8080", "80:8080", "127.0.0.1:80:8080/udp", "[::1]:80:8080"])
      assert.equal(publishedPort(port), port);
    for (const port of ["", "web", "0", "70000", "80:", "1:2:3", "80:80:80"]) {
      assert.throws(() => publishedPort(port), KeelError, port);
    }
  });

  test("nothing that is given can add a line or an option", () => {
    const bad: Partial<RunRequest>[] = [
      { image: "nginx\nExec=rm" },
      { image: "" },
      { volumes: ["/a:/b\n[Service]"] },
      { name: "../../etc" },
      { environment: ["NO EQUALS"] },
      { spread: true },
    ];
    for (const more of bad)
      assert.throws(() => quadletFromRun(request(more)), KeelError, JSON.stringify(more));
  });

  test("quoting: every command arrives word for word", () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from("ab %\"'\\$;# \t\n=é")), maxLength: 12 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
        const line = words.map(quoteArgument).join(" ");
        assert.ok(!line.includes("\n"));
        const read = splitWords(line).map(({ text }) => text.replaceAll("%%", "%").replaceAll("$$", "$"));
        assert.deepEqual(read, words);
      }),
    );
  });
});
