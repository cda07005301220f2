/// What clients asked of the provider, in order, with the answer's status.
export class RequestLog {
  entries = [];

  clear() {
    this.entries = [];
  }

  record = async (ctx, next) => {
    try {
      await next();
    } finally {
      this.entries.push({
        endpoint: ctx.oidc?.route ?? ctx.path,
        grantType: ctx.oidc?.params?.grant_type,
        clientId: ctx.oidc?.client?.clientId,
        status: ctx.status,
      });
    }
  };
}
