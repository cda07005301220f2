//! The members of one JSON object, in a row.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, Deserializer, MapAccess},
};
use serde_json::{Map, Value};

use super::{JsonError, Strict, json_error, parse_object};

/// The members of one JSON object, each name once. The names are those in the text, where they can be.
///
/// For the claims of a token: they are few and looked at once, and to put them into a tree would be most
/// of the work.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Value)>);

/// Members that can be looked up by name.
pub(crate) trait Lookup {
    /// The value of the member `name`.
    fn get(&self, name: &str) -> Option<&Value>;
}

impl Lookup for Map<String, Value> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.get(name)
    }
}

impl Lookup for Members<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// As [`parse_object`], but does not build a map.
pub(crate) fn parse_members(text: &[u8]) -> Result<Members<'_>, JsonError> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        // Which knows what else it may be.
        return parse_object(text).map(Members::from);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer
        .deserialize_map(Visitor)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| json_error(&error))
}

impl<'a> Members<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// All members but those.
    pub(crate) fn without(self, names: &[&str]) -> impl Iterator<Item = (Cow<'a, str>, Value)> {
        let members = self.0.into_iter();
        members.filter(|(name, _)| !names.contains(&&**name))
    }
}

impl From<Map<String, Value>> for Members<'_> {
    fn from(object: Map<String, Value>) -> Self {
        let members = object.into_iter();
        Self(members.map(|(name, value)| (name.into(), value)).collect())
    }
}

struct Visitor;

/// Few tokens have more claims.
const USUAL_NUMBER: usize = 16;

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
        let mut read = Vec::with_capacity(USUAL_NUMBER);
        while let Some(Name(name)) = members.next_key()? {
            read.push((name, members.next_value_seed(Strict)?));
        }
        read.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let is_repeated =
            |pair: &[(Cow<'_, str>, Value)]| matches!(pair, [(one, _), (other, _)] if one == other);
        if read.windows(2).any(is_repeated) {
            return Err(de::Error::custom("repeated member"));
        }
        Ok(Members(read))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Either reader of the same text.
    fn both(text: &[u8]) -> [Result<Map<String, Value>, &'static str>; 2] {
        let members = parse_members(text).map(|members| {
            let members = members.without(&[]);
            members
                .map(|(name, value)| (name.into_owned(), value))
                .collect()
        });
        [
            members.map_err(|error| error.what()),
            parse_object(text).map_err(|error| error.what()),
        ]
    }

    #[test]
    fn v17_members_are_read_and_refused_as_objects_are() {
        for text in [
            r#" {"a":[1,{"b":null}],"\u0063":"d","e":1.5} "#,
            "{}",
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"a":1,"b":2,"c":3,"a":4}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            "[]",
            "\"{}\"",
            "null",
            "",
            "{",
            "{} {}",
            r#"{"a":1,}"#,
            "\u{feff}{}",
        ] {
            let [members, object] = both(text.as_bytes());
            assert_eq!(members, object, "{text}");
        }
        let [members, object] = both(b"{\"a\":\"\xFF\"}");
        assert_eq!(members, object);
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let members = parse_members(br#"{"b":1,"a":2,"c":3}"#).unwrap();
        assert_eq!(Lookup::get(&members, "a"), Some(&Value::from(2)));
        assert_eq!(Lookup::get(&members, "d"), None);
        let rest: Vec<_> = members.without(&["a", "c"]).collect();
        assert_eq!(rest, [("b".into(), Value::from(1))]);
    }

    proptest! {
        #[test]
        fn v17_no_text_is_read_differently(text in r#"[\[{]("[ab]":[01],?|"a":\{("b":1,?)*\},?){0,4}[\]}]"#) {
            let [members, object] = both(text.as_bytes());
            // Of two faults either may be named.
            prop_assert_eq!(members.ok(), object.ok());
        }
    }
}
