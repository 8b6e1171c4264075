// The clusters that are measured, and what runs on them.

export const leaseSeconds = 6;

export interface Shape {
  readonly machines: number;
  readonly units: number;
}

export const machineId = (number: number): string => number.toString(16).padStart(32, "0");

const zones = ["a", "b", "c", "d"];
export const zoneOf = (number: number): string => zones[number % zones.length] ?? "a";

/**
 * A unit of its own, with a file of its own, as people write them. One in twenty belongs to a zone, one in a
 * hundred keeps away from its like.
 */
export function unitFile(number: number): { readonly name: string; readonly text: string } {
  const name = `app-${number}.service`;
  const rules: string[] = [];
  if (number % 20 === 7) rules.push(`MachineMetadata=zone=${zoneOf(number)}`);
  if (number % 100 === 13) rules.push("Conflicts=app-*13.service");
  const lines = [
    "[Unit]",
    `Description=service ${number} of the shop`,
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    `Environment=PORT=${10_000 + number} MODE=production`,
    `ExecStart=/opt/shop/bin/serve --instance ${number} --config /etc/shop/serve.conf`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "Restart=on-failure",
    "RestartSec=2",
    ...(rules.length > 0 ? ["", "[X-Fleet]", ...rules] : []),
  ];
  return { name, text: `${lines.join("\n")}\n` };
}
