// A folder for exports of the tests' image, and the programs that look into them.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { exportImage } from "../../../packages/keelson/src/image/export/export-image.ts";
import type { ExportOptions, ExportResult } from "../../../packages/keelson/src/image/export/export-image.ts";
import type { ExportFormat } from "../../../packages/keelson/src/image/export/formats.ts";
import { silentProgress } from "../../../packages/keelson/src/local/progress.ts";
import { runTool } from "../../../packages/keelson/src/local/tree/tools-tree.ts";
import { testImage } from "./image.ts";
import { testTools } from "./machine.ts";

const repository = resolve(import.meta.dirname, "../../..");

export class Exports implements AsyncDisposable {
  /** The caller's own, removed at the end. */
  readonly folder: string;
  readonly #build: string;
  readonly #tools: string;

  private constructor(folder: string, build: string, tools: string) {
    this.folder = folder;
    this.#build = build;
    this.#tools = tools;
  }

  static async open(): Promise<Exports> {
    const [{ folder: build }, tools] = [await testImage(), await testTools()];
    return new Exports(await mkdtemp(join(tmpdir(), "keelson-exports-")), build, tools);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  make(format: ExportFormat, options: Partial<ExportOptions> = {}): Promise<ExportResult> {
    const place = { repository, input: this.#build, output: this.folder, progress: silentProgress };
    return exportImage({ ...place, format, ...options });
  }

  /** Makes it once more, elsewhere, and fails unless it is the same byte for byte. */
  async isMadeAlike({ format, sha256 }: ExportResult, options: Partial<ExportOptions> = {}): Promise<void> {
    const output = join(this.folder, "again");
    await mkdir(output);
    try {
      assert.deepEqual((await this.make(format, { ...options, output })).sha256, sha256);
    } finally {
      await rm(output, { recursive: true });
    }
  }

  /** Runs a program of the tools' tree, which sees this folder. */
  tool(...argv: string[]): Promise<string> {
    return runTool(this.#tools, argv, { binds: [this.folder] });
  }
}
