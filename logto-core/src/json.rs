//! Strict JSON, for everything that a server sends.

mod members;

use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category, map::Entry};

pub(crate) use self::members::{Lookup, Members, parse_members};

/// Why a text is not acceptable, and where; never a part of the text.
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
/// Refused: a member given twice in any object at any level, even when its name is escaped
/// differently ([RFC 8259 section 4](https://www.rfc-editor.org/rfc/rfc8259#section-4) leaves open
/// which one counts, and two readers that disagree about that are an attack); anything but an object
/// at the top; text after it; a byte order mark; bytes that are not UTF-8; nesting of 128 levels.
pub(crate) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| json_error(&error))?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError {
            what: "is not a JSON object",
            line: 1,
            column: 1,
        }),
    }
}

fn json_error(error: &serde_json::Error) -> JsonError {
    let what = match error.classify() {
        Category::Syntax | Category::Io => "is not valid JSON",
        Category::Eof => "ends in the middle of the JSON",
        // `Strict` accepts every type of value: the only thing it objects to is repetition.
        Category::Data => "has a JSON member twice",
    };
    JsonError {
        what,
        line: error.line(),
        column: error.column(),
    }
}

/// Builds a [`Value`], as serde_json does, but keeps an eye on repeated members.
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

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
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
    use serde_json::json;

    use super::*;

    fn what(text: &[u8]) -> &'static str {
        parse_object(text).unwrap_err().what()
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
}
