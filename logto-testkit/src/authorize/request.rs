//! The authorization request, checked as Logto checks it.

use url::{Host, Url};

use super::refusal::Refusal;
use crate::{
    authorization_request::{AuthorizationRequest, Hints, Prompt, Wanted},
    callback::{ResponseMode, ReturnAddress},
    claims::OIDC_SCOPES,
    client_auth,
    context::Context,
    error::{OAuthError, Outcome},
    model::{App, AppKind, ORGANIZATIONS_RESOURCE, Tenant},
    request::Params,
};

/// Checks the parameters, in Logto's order.
pub(crate) fn parse(cx: &Context<'_>, params: &Params) -> Result<AuthorizationRequest, Refusal> {
    let single_state = params.all("state").nth(1).is_none();
    let state = params
        .get("state")
        .filter(|_| single_state)
        .map(str::to_owned);
    let on_page = |error| Refusal::Page {
        error,
        state: state.clone(),
        issuer: cx.issuer().to_owned(),
    };

    let client_id = params.required("client_id").map_err(on_page)?;
    let app = cx.state.tenant.apps.get(client_id);
    let app = app.ok_or_else(|| on_page(client_auth::unknown(client_id)))?;
    let redirect_uri = params.required("redirect_uri").map_err(on_page)?;
    let parsed = registered(app, redirect_uri).ok_or_else(|| {
        on_page(OAuthError::new(
            "invalid_redirect_uri",
            "redirect_uri did not match any of the client's registered redirect_uris",
        ))
    })?;

    let return_address = ReturnAddress {
        redirect_uri: parsed,
        mode: default_mode(params),
        state: state.clone(),
        issuer: cx.issuer().to_owned(),
    };
    check(
        &cx.state.tenant,
        app,
        params,
        redirect_uri,
        return_address.clone(),
    )
    .map_err(|error| Refusal::Callback {
        callback: return_address.with_error(&error),
        error,
    })
}

/// What the parameters ask for, checked.
pub(crate) fn wanted(tenant: &Tenant, app: &App, params: &Params) -> Outcome<Wanted> {
    let mut scopes = params.words("scope");
    if params.get("nonce").is_some() && !scopes.iter().any(|scope| scope == "openid") {
        return Err(OAuthError::invalid_request(
            "openid scope must be requested when using the nonce parameter",
        ));
    }
    let prompts = prompts(params)?;
    if !prompts.contains(&Prompt::Consent) {
        scopes.retain(|scope| scope != "offline_access");
    }
    reject_other_scopes(app, &scopes)?;
    let max_age = max_age(params)?;
    Ok(Wanted {
        client_id: app.id.clone(),
        scopes,
        max_age,
        auth_time: max_age.is_some() || prompts.contains(&Prompt::Login),
        resources: resources(tenant, params)?,
        nonce: params.get("nonce").map(str::to_owned),
    })
}

/// A third-party application asks for no more about users than it may.
fn reject_other_scopes(app: &App, scopes: &[String]) -> Outcome<()> {
    let Some(askable) = &app.third_party else {
        return Ok(());
    };
    let mut about_users = scopes
        .iter()
        .filter(|scope| OIDC_SCOPES.contains(&scope.as_str()));
    match about_users.find(|scope| !askable.allows_user_scope(scope)) {
        None => Ok(()),
        Some(scope) => Err(OAuthError {
            scope: Some(scope.clone()),
            ..OAuthError::new("invalid_scope", "requested scope is not allowed")
        }),
    }
}

fn check(
    tenant: &Tenant,
    app: &App,
    params: &Params,
    redirect_uri: &str,
    mut return_address: ReturnAddress,
) -> Outcome<AuthorizationRequest> {
    params.reject_duplicates()?;
    response_type(params)?;
    if let Some(mode) = params.get("response_mode") {
        return_address.mode = response_mode(mode).ok_or_else(|| {
            OAuthError::new(
                "unsupported_response_mode",
                "unsupported response_mode requested",
            )
        })?;
    }
    let challenge = challenge(app, params)?;
    Ok(AuthorizationRequest {
        wanted: wanted(tenant, app, params)?,
        redirect_uri: redirect_uri.to_owned(),
        return_address,
        prompts: prompts(params)?,
        challenge,
        hints: Hints {
            first_screen: params.get("first_screen").map(str::to_owned),
            direct_sign_in: params.get("direct_sign_in").map(str::to_owned),
            ui_locales: params.get("ui_locales").map(str::to_owned),
            login_hint: params.get("login_hint").map(str::to_owned),
            one_time_token: params.get("one_time_token").map(str::to_owned),
        },
    })
}

/// Exact comparison, but for the port of a native application's loopback URI (RFC 8252 section 7.3).
fn registered(app: &App, redirect_uri: &str) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    let without_port = |url: &Url| {
        let mut url = url.clone();
        url.set_port(None).ok().map(|()| url)
    };
    let matches = app.redirect_uris.iter().any(|registered| {
        registered == redirect_uri
            || (app.kind == AppKind::Native
                && is_loopback(&url)
                && Url::parse(registered).is_ok_and(|it| without_port(&it) == without_port(&url)))
    });
    matches.then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

fn response_type(params: &Params) -> Outcome<()> {
    match params.required("response_type")? {
        "code" => Ok(()),
        "code id_token" | "id_token" | "none" => Err(OAuthError::new(
            "unauthorized_client",
            "requested response_type is not allowed for this client",
        )),
        _ => Err(OAuthError::new(
            "unsupported_response_type",
            "unsupported response_type requested",
        )),
    }
}

/// The mode of errors until the request's own is known: what it asks for, else what its type implies.
fn default_mode(params: &Params) -> ResponseMode {
    let implicit = params
        .words("response_type")
        .iter()
        .any(|word| word.ends_with("token"));
    params
        .get("response_mode")
        .and_then(response_mode)
        .unwrap_or(if implicit {
            ResponseMode::Fragment
        } else {
            ResponseMode::Query
        })
}

fn response_mode(mode: &str) -> Option<ResponseMode> {
    match mode {
        "query" => Some(ResponseMode::Query),
        "fragment" => Some(ResponseMode::Fragment),
        "form_post" => Some(ResponseMode::FormPost),
        _ => None,
    }
}

fn prompts(params: &Params) -> Outcome<Vec<Prompt>> {
    let words = params.words("prompt");
    let prompts: Outcome<Vec<_>> = words
        .iter()
        .map(|word| match word.as_str() {
            "none" => Ok(Prompt::None),
            "login" => Ok(Prompt::Login),
            "consent" => Ok(Prompt::Consent),
            _ => Err(OAuthError::invalid_request(
                "unsupported prompt value requested",
            )),
        })
        .collect();
    let prompts = prompts?;
    if prompts.contains(&Prompt::None) && prompts.len() > 1 {
        return Err(OAuthError::invalid_request(
            "prompt none must only be used alone",
        ));
    }
    Ok(prompts)
}

fn challenge(app: &App, params: &Params) -> Outcome<Option<String>> {
    let challenge = params.get("code_challenge");
    match (challenge, params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) => {
            check_format(challenge, "code_challenge")?;
            Ok(Some(challenge.to_owned()))
        }
        (None, Some("S256")) => Err(OAuthError::invalid_request(
            "code_challenge must be provided with code_challenge_method",
        )),
        (None, None) if app.needs_pkce() => Err(OAuthError::invalid_request(
            "Authorization Server policy requires PKCE to be used for this request",
        )),
        (None, None) => Ok(None),
        _ => Err(OAuthError::invalid_request(
            "not supported value of code_challenge_method",
        )),
    }
}

/// The alphabet and length that RFC 7636 section 4 gives to a verifier and its challenge.
pub(crate) fn check_format(value: &str, name: &str) -> Outcome<()> {
    let problem = if value.len() < 43 {
        "must be a string with a minimum length of 43 characters"
    } else if value.len() > 128 {
        "must be a string with a maximum length of 128 characters"
    } else if !value
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    {
        "contains invalid characters"
    } else {
        return Ok(());
    };
    Err(OAuthError::invalid_request(format!("{name} {problem}")))
}

fn max_age(params: &Params) -> Outcome<Option<u64>> {
    let parse = |value: &str| {
        value
            .parse()
            .map_err(|_| OAuthError::invalid_request("invalid max_age parameter value"))
    };
    params.get("max_age").map(parse).transpose()
}

/// The API resources, each of which must be registered; one parameter may name several, by commas.
fn resources(tenant: &Tenant, params: &Params) -> Outcome<Vec<String>> {
    let named = params.all("resource").flat_map(|value| value.split(','));
    let mut resources: Vec<String> = Vec::new();
    for resource in named {
        if resource != ORGANIZATIONS_RESOURCE && !tenant.resources.contains_key(resource) {
            return Err(OAuthError::invalid_target());
        }
        if !resources.iter().any(|known| known == resource) {
            resources.push(resource.to_owned());
        }
    }
    Ok(resources)
}
