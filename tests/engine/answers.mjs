import { createHash } from 'node:crypto';

/// Makes an answer look as Logto's middleware leaves it.
export async function answerLikeLogto(ctx, next) {
  await next();
  if (ctx.path.endsWith('/jwks') && ctx.status === 200) {
    revalidate(ctx);
  } else if (ctx.status >= 400 && ctx.body?.error) {
    ctx.body = logtoError(ctx.body);
  }
}

function revalidate(ctx) {
  ctx.set('cache-control', 'no-cache, max-age=0, must-revalidate');
  ctx.etag = createHash('sha1').update(JSON.stringify(ctx.body)).digest('base64');
  if (ctx.fresh) ctx.status = 304;
}

function logtoError(body) {
  const code = `oidc.${body.error}`;
  const help = body.error === 'invalid_grant' && {
    error_uri: 'https://openid.sh/debug/invalid_grant',
  };
  return { code, message: `An OIDC error occurred: ${code}.`, ...help, ...body };
}
