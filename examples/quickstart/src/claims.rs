//! Claims as a table that can be read: times in words, lists as words, JSON that wraps between its words.

use std::io::{self, Write};

use askama::Template;
use logto::UnixTime;
use serde::Serialize;
use serde_json::{Map, Serializer, Value, ser::Formatter};

use crate::span::{ago, until};

/// What a reader looks for. The other claims are folded.
const FIRST: [&str; 6] = ["name", "username", "email", "sub", "roles", "organizations"];
/// Claims that are times. Logto gives those of the user in milliseconds.
const TIMES: [&str; 6] = [
    "iat",
    "exp",
    "auth_time",
    "updated_at",
    "created_at",
    "last_sign_in_at",
];
/// Seconds since 1970 reach this in the year 5138, milliseconds did in 1973.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// Claims by name.
#[derive(Debug, Template)]
#[template(path = "claims.html")]
pub struct ClaimsTable {
    labelled_by: &'static str,
    first: Vec<Claim>,
    rest: Vec<Claim>,
}

#[derive(Debug, Template)]
#[template(path = "claim.html")]
struct Claim {
    name: String,
    value: ClaimValue,
}

#[derive(Debug, PartialEq)]
enum ClaimValue {
    Text(String),
    Words(Vec<String>),
    Json(String),
    Time { words: String, number: i64 },
}

impl ClaimsTable {
    /// A table with the claims that a reader looks for first.
    pub fn new(labelled_by: &'static str, mut claims: Map<String, Value>, now: UnixTime) -> Self {
        let first = FIRST.iter().filter_map(|name| claims.remove_entry(*name));
        let first = first.map(|claim| Claim::new(claim, now)).collect();
        let rest = claims.into_iter().map(|claim| Claim::new(claim, now));
        Self {
            labelled_by,
            first,
            rest: rest.collect(),
        }
    }
}

impl Claim {
    fn new((name, value): (String, Value), now: UnixTime) -> Self {
        let number = value.as_i64().filter(|_| TIMES.contains(&name.as_str()));
        let value = match number {
            Some(number) => ClaimValue::time(number, now),
            None => ClaimValue::new(value),
        };
        Self { name, value }
    }
}

impl ClaimValue {
    fn new(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                let words = items.iter().filter_map(Value::as_str);
                Self::Words(words.map(str::to_owned).collect())
            }
            other => Self::Json(json(&other)),
        }
    }

    fn time(number: i64, now: UnixTime) -> Self {
        let seconds = match number >= FIRST_MILLISECONDS {
            true => number / 1_000,
            false => number,
        };
        let then = UnixTime::from_secs(seconds);
        let words = match then > now {
            true => until(then, now),
            false => ago(then, now),
        };
        Self::Time { words, number }
    }
}

/// JSON with a space wherever a line may end.
fn json(value: &Value) -> String {
    let mut text = Vec::new();
    let written = value.serialize(&mut Serializer::with_formatter(&mut text, Spaced));
    match (written, String::from_utf8(text)) {
        (Ok(()), Ok(text)) => text,
        _ => value.to_string(),
    }
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        separate(to, is_first)
    }

    fn begin_object_key<W: Write + ?Sized>(
        &mut self,
        to: &mut W,
        is_first: bool,
    ) -> io::Result<()> {
        separate(to, is_first)
    }

    fn begin_object_value<W: Write + ?Sized>(&mut self, to: &mut W) -> io::Result<()> {
        to.write_all(b": ")
    }
}

fn separate<W: Write + ?Sized>(to: &mut W, is_first: bool) -> io::Result<()> {
    match is_first {
        true => Ok(()),
        false => to.write_all(b", "),
    }
}
