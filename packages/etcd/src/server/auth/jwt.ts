// JSON Web Tokens (RFC 7519) as server/auth/jwt.go has them: the claims `username`, `revision` and `exp`, signed.
// Any etcd with the same key takes them, and a restart does not end them; a change of users or rights does.
import {
  constants,
  createHmac,
  createPrivateKey,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from "node:crypto";
import { EtcdError, GRPC_STATUS } from "../../errors.ts";
import type { AuthState } from "./auth-state.ts";
import type { Requester } from "./requester.ts";
import type { TokenProvider } from "./tokens.ts";

/** How to sign: https://www.rfc-editor.org/rfc/rfc7518#section-3.1. */
interface Method {
  readonly hash: string | undefined;
  readonly keyType: "rsa" | "ec" | "ed25519" | "secret";
  readonly curve?: string;
  readonly pss?: true;
}

const METHODS: Readonly<Record<string, Method>> = {
  HS256: { hash: "sha256", keyType: "secret" },
  HS384: { hash: "sha384", keyType: "secret" },
  HS512: { hash: "sha512", keyType: "secret" },
  RS256: { hash: "sha256", keyType: "rsa" },
  RS384: { hash: "sha384", keyType: "rsa" },
  RS512: { hash: "sha512", keyType: "rsa" },
  PS256: { hash: "sha256", keyType: "rsa", pss: true },
  PS384: { hash: "sha384", keyType: "rsa", pss: true },
  PS512: { hash: "sha512", keyType: "rsa", pss: true },
  ES256: { hash: "sha256", keyType: "ec", curve: "prime256v1" },
  ES384: { hash: "sha384", keyType: "ec", curve: "secp384r1" },
  ES512: { hash: "sha512", keyType: "ec", curve: "secp521r1" },
  EdDSA: { hash: undefined, keyType: "ed25519" },
};

export interface JwtOptions {
  /** One of HS, RS, PS, ES with 256, 384 or 512, or EdDSA. */
  readonly signMethod: string;
  /** Contents of the files. With the public key alone tokens are taken, but none are given out. */
  readonly publicKey: Buffer | undefined;
  readonly privateKey: Buffer | undefined;
  readonly ttlMs: number;
}

interface Keys {
  readonly signing: KeyObject | Buffer | undefined;
  readonly verifying: KeyObject | Buffer;
}

const MOST_TOKEN_BYTES = 16 << 10;

export class JsonWebTokens implements TokenProvider {
  readonly size = 0;
  readonly #auth: AuthState;
  readonly #options: JwtOptions;
  readonly #method: Method;
  readonly #keys: Keys;
  readonly #now: () => number;

  /** `now` is the time of day in milliseconds. Throws INVALID_ARGUMENT if the keys do not fit. */
  constructor(auth: AuthState, options: JwtOptions, now: () => number = Date.now) {
    const method = Object.hasOwn(METHODS, options.signMethod) ? METHODS[options.signMethod] : undefined;
    if (method === undefined) {
      const known = Object.keys(METHODS).join(", ");
      throw refuse(`sign-method is ${JSON.stringify(options.signMethod)}, not one of ${known}`);
    }
    this.#auth = auth;
    this.#options = options;
    this.#method = method;
    this.#keys = readKeys(method, options);
    this.#now = now;
  }

  assign(user: string): string {
    if (this.#keys.signing === undefined) {
      const message = "auth: token signing attempted with verify-only key";
      throw new EtcdError("INTERNAL", message, { grpcStatus: GRPC_STATUS.UNKNOWN });
    }
    const exp = Math.floor((this.#now() + this.#options.ttlMs) / 1000);
    const claims = { exp, revision: this.#auth.revision, username: user };
    const text = `${encoded({ alg: this.#options.signMethod, typ: "JWT" })}.${encoded(claims)}`;
    return `${text}.${this.#sign(text, this.#keys.signing).toString("base64url")}`;
  }

  holder(token: string): Requester | undefined {
    if (token.length > MOST_TOKEN_BYTES) return undefined;
    const [head, body, signature, ...more] = token.split(".");
    if (head === undefined || body === undefined || signature === undefined || more.length > 0)
      return undefined;
    if (decoded(head)?.["alg"] !== this.#options.signMethod) return undefined;
    if (!this.#isSigned(`${head}.${body}`, Buffer.from(signature, "base64url"))) return undefined;
    const claims = decoded(body);
    if (claims === undefined || !this.#isInTime(claims)) return undefined;
    const { username, revision } = claims;
    if (typeof username !== "string" || typeof revision !== "number") return undefined;
    return { user: username, revision: Math.trunc(revision) };
  }

  /** What tokens say of the revision is compared with each use. */
  applied(): void {}

  #isInTime(claims: Readonly<Record<string, unknown>>): boolean {
    const now = this.#now() / 1000;
    const { exp, nbf, iat } = claims;
    if (exp !== undefined && !(typeof exp === "number" && now < exp)) return false;
    if (nbf !== undefined && !(typeof nbf === "number" && now >= nbf)) return false;
    return iat === undefined || (typeof iat === "number" && now >= iat);
  }

  #sign(text: string, key: KeyObject | Buffer): Buffer {
    const { hash, pss } = this.#method;
    if (Buffer.isBuffer(key))
      return createHmac(hash ?? "", key)
        .update(text)
        .digest();
    return sign(hash, Buffer.from(text), {
      key,
      dsaEncoding: "ieee-p1363",
      ...(pss === undefined
        ? {}
        : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }),
    });
  }

  #isSigned(text: string, signature: Buffer): boolean {
    const { hash, pss } = this.#method;
    const key = this.#keys.verifying;
    if (Buffer.isBuffer(key)) {
      const wanted = this.#sign(text, key);
      return wanted.length === signature.length && timingSafeEqual(wanted, signature);
    }
    return verify(
      hash,
      Buffer.from(text),
      {
        key,
        dsaEncoding: "ieee-p1363",
        ...(pss === undefined
          ? {}
          : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO }),
      },
      signature,
    );
  }
}

function readKeys(method: Method, { publicKey, privateKey, signMethod }: JwtOptions): Keys {
  if (method.keyType === "secret") {
    if (privateKey === undefined || privateKey.length === 0) throw refuse(`${signMethod} needs priv-key`);
    return { signing: privateKey, verifying: privateKey };
  }
  const signing =
    privateKey === undefined ? undefined : readKey("priv-key", () => createPrivateKey(privateKey));
  const given = publicKey === undefined ? undefined : readKey("pub-key", () => createPublicKey(publicKey));
  const verifying = signing === undefined ? given : createPublicKey(signing);
  if (verifying === undefined) throw refuse(`${signMethod} needs priv-key or pub-key`);
  if (given !== undefined && !given.equals(verifying)) throw refuse("pub-key and priv-key are no pair");
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = verifying;
  if (type !== method.keyType || (method.curve !== undefined && details?.namedCurve !== method.curve)) {
    throw refuse(`${signMethod} needs a key of another kind than ${details?.namedCurve ?? type}`);
  }
  return { signing, verifying };
}

function readKey(option: string, read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new EtcdError("INVALID_ARGUMENT", `auth token: ${option} is no key in PEM`, { cause });
  }
}

function refuse(why: string): EtcdError {
  return new EtcdError("INVALID_ARGUMENT", `auth token: ${why}`);
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decoded(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
