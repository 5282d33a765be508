// An OpenID provider for the tests: node provider.mjs DIRECTORY, where npm has
// installed oidc-provider. It prints its issuer and serves until its standard
// input ends. Everybody may log in as anybody.
import { createRequire } from 'node:module';
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.argv[2], 'x.js'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

const key = (type, options, kid, alg) =>
  ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid, alg, use: 'sig' });

const server = createServer();
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;

// A resource server whose tokens are JWTs, and one whose tokens are opaque.
const resources = { 'urn:test:jwt': 'jwt', 'urn:test:opaque': 'opaque' };

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'mailer', client_secret: 'mailer-s3cret', grant_types: [
        'client_credentials', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code',
      ],
      redirect_uris: [], response_types: [], token_endpoint_auth_method: 'client_secret_basic', scope: 'openid offline_access mail',
    },
    {
      client_id: 'browser', token_endpoint_auth_method: 'none', application_type: 'native',
      redirect_uris: ['http://127.0.0.1/'], grant_types: ['authorization_code', 'refresh_token'], scope: 'openid offline_access mail',
    },
    {
      client_id: 'server', client_secret: 'server:s3cret', grant_types: [], redirect_uris: [], response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    },
  ],
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'r1', 'RS256'), key('ec', { namedCurve: 'P-256' }, 'e1', 'ES256')] },
  cookies: { keys: ['test'] },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => 'urn:test:jwt',
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'mail', audience: resource, accessTokenTTL: 600, accessTokenFormat: resources[resource],
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  scopes: ['openid', 'offline_access', 'mail'],
  rotateRefreshToken: true,
  issueRefreshToken: () => true,
  extraTokenClaims: (_, token) => (token.accountId ? { email: `${token.accountId}@example.org`, email_verified: true } : {}),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});
server.on('request', provider.callback());
console.log(issuer);
process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
