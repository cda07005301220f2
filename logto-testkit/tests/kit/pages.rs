//! The HTML pages, used without scripts: links, forms and cookies.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use url::{Url, form_urlencoded};

use crate::common::{
    claims,
    lab::{
        ACME, Ask, CALLBACK, DEVICE, INITECH, Lab, THIRD_PARTY, TRADITIONAL, VERIFIER,
        authorization_url, tenant,
    },
    member, query, refusal,
};
use logto_testkit::{BrowserError, TestClock};

/// A browser: cookies and nothing else.
struct Visitor<'a> {
    lab: &'a Lab,
    cookies: BTreeMap<String, String>,
}

impl<'a> Visitor<'a> {
    fn new(lab: &'a Lab) -> Self {
        Self {
            lab,
            cookies: BTreeMap::new(),
        }
    }

    fn get(&mut self, target: &str) -> Response<Bytes> {
        self.send(Request::get(target), String::new())
    }

    fn post(&mut self, target: &str, form: &[(&str, &str)]) -> Response<Bytes> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.extend_pairs(form).finish();
        let form = "application/x-www-form-urlencoded";
        self.send(
            Request::post(target).header(header::CONTENT_TYPE, form),
            body,
        )
    }

    fn send(&mut self, request: http::request::Builder, body: String) -> Response<Bytes> {
        let cookies = self.cookies.iter();
        let cookies: Vec<_> = cookies
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = request.header(header::COOKIE, cookies.join("; "));
        let response = self
            .lab
            .logto
            .handle(request.body(Bytes::from(body)).unwrap());
        for line in response.headers().get_all(header::SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        response
    }
}

fn location(response: &Response<Bytes>) -> String {
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let location = response.headers()[header::LOCATION].to_str().unwrap();
    location.to_owned()
}

fn html(response: &Response<Bytes>) -> String {
    String::from_utf8(response.body().to_vec()).unwrap()
}

/// The value of a hidden field.
fn field(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
    rest.unwrap().split('"').next().unwrap().to_owned()
}

fn target(url: &Url) -> String {
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}

/// Signs in on the sign-in page that a redirect led to; gives where that leads.
fn sign_in(visitor: &mut Visitor<'_>, to_page: &Response<Bytes>) -> String {
    let page = html(&visitor.get(&location(to_page)));
    let form = [
        ("interaction", field(&page, "interaction")),
        ("identifier", "alice".to_owned()),
        ("password", "correct horse".to_owned()),
    ];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    location(&visitor.post("/sign-in", &form))
}

fn third_party() -> Url {
    authorization_url(&Ask {
        client: THIRD_PARTY,
        scope: "openid offline_access profile urn:logto:scope:organizations",
        ..Ask::default()
    })
}

#[test]
fn a_person_consents_on_the_page() {
    let lab = Lab::new();
    let mut visitor = Visitor::new(&lab);
    let to_page = visitor.get(&target(&third_party()));
    let consent = sign_in(&mut visitor, &to_page);
    assert_eq!(consent, format!("/consent?app_id={}", THIRD_PARTY.0));
    let page = html(&visitor.get(&consent));
    assert!(page.contains("<li>profile</li>") && !page.contains("<li>openid</li>"));
    for organization in [ACME, INITECH] {
        assert!(page.contains(&format!("<option value=\"{organization}\">")));
    }
    assert!(page.contains(&format!("href=\"{CALLBACK}\">Cancel</a>")));
    let interaction = field(&page, "interaction");

    let other = [
        ("interaction", interaction.as_str()),
        ("organization_id", crate::common::lab::GLOBEX),
    ];
    let other = visitor.post("/consent", &other);
    assert_eq!(refusal(&other), (400, "invalid_request".to_owned()));
    let form = [
        ("interaction", interaction.as_str()),
        ("organization_id", INITECH),
    ];
    let callback = Url::parse(&location(&visitor.post("/consent", &form))).unwrap();
    let code = query(&callback, "code").unwrap();
    let tokens = lab.redeem(THIRD_PARTY, &code, Some(VERIFIER), None);
    let refresh_token = member(&tokens, "refresh_token");
    let organization = |id| {
        let more = [("organization_id", id)];
        lab.refresh(THIRD_PARTY, &refresh_token, &more).status()
    };
    assert_eq!(organization(INITECH), StatusCode::OK);
    assert_eq!(organization(ACME), StatusCode::FORBIDDEN);
    let again = visitor.post("/consent", &form);
    assert_eq!(again.status(), StatusCode::BAD_REQUEST, "used up");
}

#[test]
fn the_consent_page_is_for_those_who_signed_in() {
    let lab = Lab::new();
    let mut visitor = Visitor::new(&lab);
    let to_page = visitor.get(&target(&third_party()));
    assert_eq!(visitor.get("/consent").status(), StatusCode::BAD_REQUEST);
    let page = html(&visitor.get(&location(&to_page)));
    let form = [("interaction", field(&page, "interaction"))];
    let form = form.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = visitor.post("/consent", &form);
    assert_eq!(refusal(&refused), (400, "invalid_request".to_owned()));
}

#[test]
fn immediate_sign_in_consents_too() {
    let clock = TestClock::new();
    let tenant = tenant().clock(clock.clone()).immediate_sign_in("alice");
    let logto = tenant.build().unwrap();
    let lab = Lab { logto, clock };
    let mut visitor = Visitor::new(&lab);
    for session in [false, true] {
        assert_eq!(visitor.cookies.contains_key("_session"), session);
        let callback = Url::parse(&location(&visitor.get(&target(&third_party())))).unwrap();
        let code = query(&callback, "code").unwrap();
        let tokens = lab.redeem(THIRD_PARTY, &code, Some(VERIFIER), None);
        let more = [("organization_id", ACME)];
        let refreshed = lab.refresh(THIRD_PARTY, &member(&tokens, "refresh_token"), &more);
        assert_eq!(refreshed.status(), StatusCode::OK, "the first is selected");
    }
}

#[test]
fn a_magic_link_leaves_nothing_to_type() {
    let clock = TestClock::new();
    let immediate = tenant().immediate_sign_in("bob").clock(clock.clone());
    let immediate = Lab {
        logto: immediate.build().unwrap(),
        clock,
    };
    for lab in [Lab::new(), immediate] {
        let email = "alice@example.com";
        let token = lab.logto.create_one_time_token(email).unwrap();
        let extra = [("one_time_token", token.as_str()), ("login_hint", email)];
        let url = authorization_url(&Ask {
            scope: "openid profile",
            extra: &extra,
            ..Ask::default()
        });
        let mut visitor = Visitor::new(&lab);
        let page = location(&visitor.get(&target(&url)));
        assert_eq!(
            page,
            format!(
                "/sign-in?app_id={}&one_time_token={token}&login_hint=alice%40example.com",
                TRADITIONAL.0
            )
        );
        let callback = Url::parse(&location(&visitor.get(&page))).unwrap();
        let code = query(&callback, "code").unwrap();
        let tokens = lab.redeem(TRADITIONAL, &code, Some(VERIFIER), None);
        let id_token = claims(&member(&tokens, "id_token"));
        assert_eq!(id_token["username"], "alice");

        let mut other = Visitor::new(&lab);
        let page = location(&other.get(&target(&url)));
        let refused = other.get(&page);
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(html(&refused).contains("The token has been consumed."));
        assert!(!other.cookies.contains_key("_session"));

        lab.logto.suspend_user("alice");
        let token = lab.logto.create_one_time_token(email).unwrap();
        let extra = [("one_time_token", token.as_str()), ("login_hint", email)];
        let url = authorization_url(&Ask {
            extra: &extra,
            ..Ask::default()
        });
        let page = location(&other.get(&target(&url)));
        assert_eq!(other.get(&page).status(), StatusCode::BAD_REQUEST);
        assert!(!other.cookies.contains_key("_session"));
    }
}

fn begin(lab: &Lab) -> (String, String) {
    let device = lab.post("/oidc/device/auth", DEVICE, &[("scope", "openid")]);
    (member(&device, "device_code"), member(&device, "user_code"))
}

fn poll(lab: &Lab, device_code: &str) -> Response<Bytes> {
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device_code),
    ];
    lab.token(DEVICE, &form)
}

#[test]
fn a_person_connects_a_device_on_the_page() {
    let lab = Lab::new();
    let mut visitor = Visitor::new(&lab);
    let (device_code, user_code) = begin(&lab);
    assert!(html(&visitor.get("/device")).contains("<label for=\"user_code\">"));
    for wrong in ["", "BCDF-GHJK"] {
        let refused = visitor.post("/device", &[("user_code", wrong)]);
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(html(&refused).contains("role=\"alert\""));
    }
    let typed = user_code.replace('-', "").to_lowercase();
    let page = html(&visitor.post("/device", &[("user_code", &typed)]));
    assert!(page.contains(DEVICE.0));
    assert_eq!(field(&page, "user_code"), user_code);

    let confirm = [("user_code", user_code.as_str()), ("confirm", "yes")];
    let to_page = visitor.post("/device", &confirm);
    assert_eq!(
        refusal(&poll(&lab, &device_code)),
        (400, "authorization_pending".to_owned())
    );
    assert_eq!(sign_in(&mut visitor, &to_page), "/device/success");
    assert!(html(&visitor.get("/device/success")).contains("Device connected"));
    assert_eq!(poll(&lab, &device_code).status(), StatusCode::OK);
    let again = visitor.post("/device", &confirm);
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY, "used");

    let (device_code, user_code) = begin(&lab);
    let complete = visitor.get(&format!("/device?user_code={user_code}"));
    assert!(html(&complete).contains("name=\"confirm\""));
    let confirm = [("user_code", user_code.as_str()), ("confirm", "yes")];
    let done = location(&visitor.post("/device", &confirm));
    assert_eq!(done, "/device/success", "the session says who");
    assert_eq!(poll(&lab, &device_code).status(), StatusCode::OK);
}

#[test]
fn a_person_denies_a_device_on_the_page() {
    let lab = Lab::new();
    let (device_code, user_code) = begin(&lab);
    let abort = [("user_code", user_code.as_str()), ("abort", "yes")];
    let mut visitor = Visitor::new(&lab);
    assert!(html(&visitor.post("/device", &abort)).contains("Denied"));
    let refused = refusal(&poll(&lab, &device_code));
    assert_eq!(refused, (400, "access_denied".to_owned()));
    let again = visitor.post("/device", &abort);
    assert_eq!(again.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn a_browser_connects_devices_in_its_session() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let (device_code, user_code) = begin(&lab);
    assert_eq!(
        browser.approve_device(&user_code, "mallory"),
        Err(BrowserError::UnknownUser("mallory".to_owned()))
    );
    browser.approve_device(&user_code, "alice").unwrap();
    assert_eq!(poll(&lab, &device_code).status(), StatusCode::OK);
    assert_eq!(
        browser.approve_device(&user_code, "alice"),
        Err(BrowserError::UnknownUserCode(user_code))
    );

    let (device_code, user_code) = begin(&lab);
    browser.approve_device(&user_code, "nobody").unwrap();
    assert_eq!(poll(&lab, &device_code).status(), StatusCode::OK);

    let (device_code, user_code) = begin(&lab);
    browser.deny_device(&user_code).unwrap();
    let refused = refusal(&poll(&lab, &device_code));
    assert_eq!(refused, (400, "access_denied".to_owned()));
    assert_eq!(
        browser.deny_device(&user_code),
        Err(BrowserError::UnknownUserCode(user_code))
    );
}
