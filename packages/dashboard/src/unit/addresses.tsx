/** Where an instance answers, as links. */
export function Addresses({ addresses, of }: { readonly addresses: readonly string[]; readonly of: string }) {
  return addresses.map((address) => (
    <a
      key={address}
      className="mono address"
      href={`http://${address}/`}
      target="_blank"
      rel="noreferrer"
      aria-label={`${of} at ${address}, in a new tab`}
    >
      {address}
    </a>
  ));
}
