//! As much HTML as it takes to find the forms of a page.

use http::Method;

/// A form as the page has it: its action is not resolved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawForm {
    pub(super) action: Option<String>,
    pub(super) method: Method,
    pub(super) fields: Vec<(String, String)>,
}

struct Tag<'a> {
    name: String,
    attributes: Vec<(String, &'a str)>,
}

impl Tag<'_> {
    fn value(&self, name: &str) -> Option<String> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|(known, _)| known == name);
        found.map(|(_, value)| unescape(value))
    }

    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(known, _)| known == name)
    }
}

/// The forms of a page, in its order.
pub(super) fn forms(html: &str) -> Vec<RawForm> {
    let mut forms = Vec::new();
    let mut open: Option<RawForm> = None;
    let mut select: Option<String> = None;
    for tag in tags(html) {
        match (tag.name.as_str(), &mut open) {
            ("form", _) => {
                let is_post = tag.value("method");
                let is_post = is_post.is_some_and(|method| method.eq_ignore_ascii_case("post"));
                open = Some(RawForm {
                    action: tag.value("action"),
                    method: if is_post { Method::POST } else { Method::GET },
                    fields: Vec::new(),
                });
            }
            ("/form", _) => forms.extend(open.take()),
            ("input", Some(form)) => form.fields.extend(field(&tag)),
            ("select", Some(_)) => select = tag.value("name"),
            ("/select", _) => select = None,
            ("option", Some(form)) => {
                let Some(name) = &select else { continue };
                let value = tag.value("value").unwrap_or_default();
                match form.fields.iter_mut().find(|(known, _)| known == name) {
                    None => form.fields.push((name.clone(), value)),
                    Some(field) if tag.has("selected") => field.1 = value,
                    Some(_) => {}
                }
            }
            _ => {}
        }
    }
    forms.extend(open);
    forms
}

/// What an `<input>` contributes; buttons and boxes that are not checked contribute nothing.
fn field(input: &Tag<'_>) -> Option<(String, String)> {
    let name = input.value("name")?;
    let kind = input.value("type").unwrap_or_default();
    let is_box = matches!(kind.as_str(), "checkbox" | "radio");
    let is_button = matches!(kind.as_str(), "submit" | "button" | "reset" | "image");
    if is_button || (is_box && !input.has("checked")) {
        return None;
    }
    let default = if is_box { "on" } else { "" };
    let value = input.value("value");
    Some((name, value.unwrap_or_else(|| default.to_owned())))
}

fn tags(html: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('<')?;
            rest = after;
            let ends = |c: char| c.is_ascii_whitespace() || c == '>';
            let (name, after) = rest.split_at(rest.find(ends)?);
            if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') {
                continue;
            }
            let (attributes, after) = attributes(after);
            rest = after;
            let name = name.to_ascii_lowercase();
            return Some(Tag { name, attributes });
        }
    })
}

/// The attributes up to the end of the tag, and what comes after it.
fn attributes(mut rest: &str) -> (Vec<(String, &str)>, &str) {
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() {
            return (attributes, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after);
        }
        let ends = |c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/');
        // A name may begin with `=`.
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..].find(ends).map_or(rest.len(), |at| first + at);
        let (name, after) = rest.split_at(end);
        rest = after.trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            (value, rest) = attribute_value(after.trim_start());
        }
        attributes.push((name.to_ascii_lowercase(), value));
    }
}

fn attribute_value(rest: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(after) = rest.strip_prefix(quote) {
            return after.split_once(quote).unwrap_or((after, ""));
        }
    }
    let ends = |c: char| c.is_ascii_whitespace() || c == '>';
    rest.split_at(rest.find(ends).unwrap_or(rest.len()))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&#x2F;", "/")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(html: &str) -> RawForm {
        let mut forms = forms(html);
        assert_eq!(forms.len(), 1, "{html}");
        forms.remove(0)
    }

    #[test]
    fn a_form_has_its_action_its_method_and_its_fields() {
        let form = only(
            "<p>a < b</p><FORM method=POST action='/a?b=1&amp;c=2'>
             <input name=one value=\"1 &quot;&lt;\"><input name=two disabled-not value=2 />
             <input type=checkbox name=off><input type=checkbox name=on checked>
             <input type=submit name=go><select name=org><option value=x><option value=y selected></select>
             <button>Go</button></form><input name=outside value=3>",
        );
        assert_eq!(form.action.as_deref(), Some("/a?b=1&c=2"));
        assert_eq!(form.method, Method::POST);
        let fields = [("one", "1 \"<"), ("two", "2"), ("on", "on"), ("org", "y")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(form.fields, fields);
    }

    #[test]
    fn whatever_a_page_contains_its_forms_are_read_without_a_panic() {
        for html in [
            "<",
            "<form",
            "<form a",
            "<form a=",
            "<form a='",
            "<form =x=\">",
            "<form><input",
            "</form>",
            "<é é=é>",
            "<form é=\"é\"><input name='é",
            "<!-- <form> -->",
            "<form / / >",
            "< form>",
        ] {
            forms(html);
        }
        assert!(forms("<p>none</p>").is_empty());
    }
}
