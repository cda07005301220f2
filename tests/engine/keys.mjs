import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';

const generate = promisify(generateKeyPair);

/// The types of key that Logto can rotate to, and the algorithm it signs with then.
const TYPES = {
  EC: { alg: 'ES384', type: 'ec', options: { namedCurve: 'P-384' } },
  RSA: { alg: 'RS256', type: 'rsa', options: { modulusLength: 2048 } },
};

/// A new private signing key as a JWK.
export async function signingKey(name = 'EC') {
  const { alg, type, options } = TYPES[name];
  const { privateKey } = await generate(type, options);
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg };
}
