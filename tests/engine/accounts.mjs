/// The claims that each scope gives, in the ID token and at the userinfo endpoint.
export const claimsByScope = {
  openid: ['sub'],
  profile: ['name', 'picture', 'updated_at', 'username', 'created_at'],
  email: ['email', 'email_verified'],
  phone: ['phone_number', 'phone_number_verified'],
  roles: ['roles'],
  'urn:logto:scope:organizations': ['organizations'],
  'urn:logto:scope:organization_roles': ['organization_roles'],
};

/// Every subject exists, and each has an e-mail address of its own.
export function findAccount(_ctx, sub) {
  const claims = {
    sub,
    name: 'Ünï 名',
    picture: null,
    updated_at: 1_795_335_765_405,
    username: sub,
    created_at: 1_795_334_465_114,
    email: `${sub}@example.com`,
    email_verified: true,
    phone_number: '15550100',
    phone_number_verified: true,
    roles: ['shopper'],
    organizations: ['org1', 'org2'],
    organization_roles: ['org1:member'],
  };
  return { accountId: sub, claims: () => claims };
}
