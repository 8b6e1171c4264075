// Words for a machine's shell that end in yes or no.

/** Whether a host answers to one ping from a machine. */
export const ping = (host: string): string =>
  `busybox ping -c 1 -W 3 ${host} >/dev/null && echo yes || echo no`;

/** Whether a host answers to one of many pings: the first ones may be lost, when its address has to be asked for. */
export const pingPatiently = (host: string): string =>
  `for i in $(seq 30); do busybox ping -c 1 -W 3 ${host} >/dev/null && echo yes && exit; done; echo no`;
