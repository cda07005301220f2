//! Strict JSON, for everything that a server sends.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category, map::Entry};

/// The initial capacity for the members of an object; few tokens have more claims.
const USUAL_MEMBERS: usize = 16;

/// Why a text is refused, and where; never a part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} (line {line}, column {column})")]
pub(crate) struct JsonError {
    what: &'static str,
    line: usize,
    column: usize,
}

impl JsonError {
    /// What is wrong, as the rest of a sentence that starts with the name of the text.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }
}

/// Reads one JSON object and nothing else.
///
/// Refuses a member given twice in any object at any level, even when its name is escaped differently:
/// [RFC 8259 section 4](https://www.rfc-editor.org/rfc/rfc8259#section-4) leaves open which one counts,
/// and an attacker can use two readers that disagree. Also refuses anything but an object at the top,
/// text after it, a byte order mark, bytes that are not UTF-8, and nesting of 128 levels.
pub(crate) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let members = parse_members(text)?.without(&[]);
    Ok(members
        .map(|(name, value)| (name.into_owned(), value))
        .collect())
}

/// Reads one JSON object as [`parse_object`] does, into a list. For the claims of tokens, which are few and
/// read once: building a map takes longer than all other checks of the claims together.
pub(crate) fn parse_members(text: &[u8]) -> Result<Members<'_>, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer
        .deserialize_map(MembersVisitor)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| json_error(text, error))
}

fn json_error(text: &[u8], error: serde_json::Error) -> JsonError {
    let what = match error.classify() {
        Category::Syntax | Category::Io => "is not valid JSON",
        Category::Eof => "ends in the middle of the JSON",
        Category::Data if text.trim_ascii_start().first() != Some(&b'{') => "is not a JSON object",
        // Inside the object every type of value is accepted: only a repetition is refused.
        Category::Data => "has a JSON member twice",
    };
    // A list of members notices a repetition at its end; reading the same text as a value stops where it is.
    let error = Strict
        .deserialize(&mut serde_json::Deserializer::from_slice(text))
        .err()
        .unwrap_or(error);
    JsonError {
        what,
        line: error.line(),
        column: error.column(),
    }
}

/// The members of one JSON object, each name once. A name without escapes is borrowed from the text.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Value)>);

impl<'a> Members<'a> {
    /// The value of the member `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.iter()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// All members except `names`.
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

/// Reads the members of a plain response.
pub(crate) trait Given {
    /// The value of an optional member. `null` counts as absent: many serializers write every field of a
    /// record, and for an optional member, `null` means the same as absence. The header and the claims of a
    /// signed token are read strictly.
    fn given(&self, name: &str) -> Option<&Value>;
}

impl Given for Map<String, Value> {
    fn given(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }
}

struct MembersVisitor;

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Members<'de>, A::Error> {
        let mut read = Vec::with_capacity(USUAL_MEMBERS);
        while let Some(Name(name)) = members.next_key()? {
            read.push((name, members.next_value_seed(Strict)?));
        }
        // Sorted first: comparing each name with every other would let a server make the work quadratic.
        read.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let is_repeated =
            |pair: &[(Cow<'_, str>, Value)]| matches!(pair, [(one, _), (other, _)] if one == other);
        if read.windows(2).any(is_repeated) {
            return Err(de::Error::custom("repeated member"));
        }
        Ok(Members(read))
    }
}

/// Builds a [`Value`] as serde_json does, and refuses repeated members.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Self)? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(members.next_value_seed(Self)?);
                }
                Entry::Occupied(_) => return Err(de::Error::custom("repeated member")),
            }
        }
        Ok(arbitrary_precision_number(&object).unwrap_or(Value::Object(object)))
    }
}

/// A program that switches on serde_json's `arbitrary_precision` does so for all its crates, and
/// from then on numbers arrive as an object with this one member.
fn arbitrary_precision_number(object: &Map<String, Value>) -> Option<Value> {
    if object.len() != 1 {
        return None;
    }
    let digits = object.get("$serde_json::private::Number")?.as_str()?;
    digits.parse::<Number>().ok().map(Value::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn what(text: &[u8]) -> &'static str {
        parse_object(text).unwrap_err().what()
    }

    /// What comes of the same object at the top, which is read into [`Members`], and below, where it is a
    /// [`Value`].
    fn top_and_below(text: &str) -> [Result<Value, &'static str>; 2] {
        let below = format!("{{\"below\":{text}}}");
        let below = parse_object(below.as_bytes()).map(|mut object| object["below"].take());
        let top = parse_object(text.as_bytes()).map(Value::Object);
        [top, below].map(|read| read.map_err(|error| error.what()))
    }

    #[test]
    fn an_object_is_read_as_serde_json_reads_it() {
        let text = r#"{"a":[1,-2,1.5,1e3,true,false,null,"\u00e9\n"],"b":{"c":{}},"":[]}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            Value::Object(parse_object(text.as_bytes()).unwrap()),
            expected
        );
    }

    #[test]
    fn v17_repeated_members_are_refused_at_every_level() {
        for text in [
            r#"{"sub":"a","sub":"b"}"#,
            r#"{"sub":"a","sub":"a"}"#,
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":[{"c":1,"d":2,"\u0063":3}]}]}"#,
            r#"{"":1,"":2}"#,
        ] {
            assert_eq!(what(text.as_bytes()), "has a JSON member twice", "{text}");
        }
    }

    #[test]
    fn the_same_name_in_different_objects_is_no_repetition() {
        assert!(parse_object(br#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn only_an_object_is_accepted() {
        for text in ["[]", "1", "\"{}\"", "null", "true", "[{}]"] {
            assert_eq!(what(text.as_bytes()), "is not a JSON object", "{text}");
        }
    }

    #[test]
    fn broken_texts_are_refused() {
        let texts: [&[u8]; 12] = [
            b"{} {}",
            b"{}x",
            b"{}\0",
            b"\xEF\xBB\xBF{}",
            b"{\"a\":\"\xFF\"}",
            b"{\"\xC0\x80\":1}",
            b"{'a':1}",
            b"{\"a\":NaN}",
            b"{\"a\":01}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1,}",
            b"{\"a\":1e400}",
        ];
        for text in texts {
            assert_eq!(what(text), "is not valid JSON", "{text:?}");
        }
        for text in ["", " ", "{", "{\"a\"", "{\"a\":1", "{\"a\":[{\"b\":\""] {
            assert_eq!(
                what(text.as_bytes()),
                "ends in the middle of the JSON",
                "{text}"
            );
        }
    }

    #[test]
    fn v11_nesting_is_capped() {
        let nested = |levels: usize| {
            format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels)).into_bytes()
        };
        assert!(parse_object(&nested(100)).is_ok());
        assert_eq!(what(&nested(128)), "is not valid JSON");
        assert_eq!(what(&nested(100_000)), "is not valid JSON");
    }

    #[test]
    fn an_error_says_where_and_shows_nothing() {
        let error = parse_object(b"{\"secret\":1,\n \"secret\":2}").unwrap_err();
        assert_eq!(
            error.to_string(),
            "has a JSON member twice (line 2, column 9)"
        );
    }

    #[test]
    fn numbers_survive_arbitrary_precision() {
        let number = parse_object(br#"{"exp":{"$serde_json::private::Number":"17"}}"#).unwrap();
        assert_eq!(Value::Object(number), json!({"exp": 17}));
        let object = br#"{"a":{"$serde_json::private::Number":"x"}}"#;
        assert!(parse_object(object).unwrap()["a"].is_object());
    }

    #[test]
    fn v17_members_are_read_and_refused_at_the_top_as_below() {
        for text in [
            r#" {"a":[1,{"b":null}],"\u0063":"d","e":1.5} "#,
            "{}",
            r#"{"sub":"a","\u0073ub":"b"}"#,
            r#"{"a":1,"b":2,"c":3,"a":4}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":1,}"#,
        ] {
            let [top, below] = top_and_below(text);
            assert_eq!(top, below, "{text}");
        }
    }

    #[test]
    fn a_member_is_found_by_its_name() {
        let members = parse_members(br#"{"b":1,"a":2,"c":3}"#).unwrap();
        assert_eq!(members.get("a"), Some(&Value::from(2)));
        assert_eq!(members.get("d"), None);
        let rest: Vec<_> = members.without(&["a", "c"]).collect();
        assert_eq!(rest, [("b".into(), Value::from(1))]);
    }

    proptest! {
        #[test]
        fn v17_no_text_is_read_differently(text in r#"\{("[ab]":[01],?|"a":\{("b":1,?)*\},?){0,4}\}"#) {
            let [top, below] = top_and_below(&text);
            // Of two faults either may be named.
            prop_assert_eq!(top.ok(), below.ok());
        }
    }
}
