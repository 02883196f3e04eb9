//! Just enough HTML to fill in a form as a person would.
//!
//! Pages of the portal are plain forms; a test presses their buttons by name
//! and sends back the hidden fields it was given.

/// One `<form>` of a page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Where it goes, as written.
    pub action: String,
    /// `get` or `post`.
    pub method: String,
    /// Its fields in order.
    pub fields: Vec<Field>,
}

/// One control of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `hidden`, `text`, `checkbox`, `radio`, `submit` …
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Ticked before anybody touched it.
    pub checked: bool,
}

impl Form {
    /// Whether it has a control of that name.
    pub fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }

    /// The values of all controls of that name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|field| field.name == name).map(|field| field.value.as_str()).collect()
    }

    /// What a browser sends back without being asked: hidden fields.
    pub fn hidden(&self) -> Vec<(String, String)> {
        let hidden = self.fields.iter().filter(|field| field.kind == "hidden");
        hidden.map(|field| (field.name.clone(), field.value.clone())).collect()
    }
}

/// The forms of a page, in order.
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms: Vec<Form> = Vec::new();
    let mut open = false;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                open = true;
                forms.push(Form {
                    action: tag.get("action").unwrap_or_default(),
                    method: tag.get("method").unwrap_or_else(|| "get".to_owned()).to_lowercase(),
                    fields: Vec::new(),
                });
            }
            "/form" => open = false,
            "input" | "button" | "select" | "textarea" if open => {
                let default = if tag.name == "button" { "submit" } else { "text" };
                let field = Field {
                    kind: tag.get("type").unwrap_or_else(|| default.to_owned()),
                    name: tag.get("name").unwrap_or_default(),
                    value: tag.get("value").unwrap_or_default(),
                    checked: tag.get("checked").is_some(),
                };
                if let Some(form) = forms.last_mut() {
                    form.fields.push(field);
                }
            }
            _ => {}
        }
    }
    forms
}

/// The targets of all links of a page.
pub fn links(html: &str) -> Vec<String> {
    tags(html).iter().filter(|tag| tag.name == "a").filter_map(|tag| tag.get("href")).collect()
}

/// The text of a page without its tags.
pub fn text(html: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for letter in html.chars() {
        match letter {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            letter if !inside => out.push(letter),
            _ => {}
        }
    }
    unescape(&out)
}

#[derive(Debug)]
struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

fn tags(html: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (tag, after) = tag(&rest[start + 1..]);
        rest = after;
        if tag.name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '/') {
            tags.push(tag);
        }
    }
    tags
}

fn tag(text: &str) -> (Tag, &str) {
    let end = text.find(|letter: char| letter.is_whitespace() || letter == '>').unwrap_or(text.len());
    let mut tag = Tag { name: text[..end].to_lowercase(), attributes: Vec::new() };
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '/');
        if rest.is_empty() || rest.starts_with('>') {
            return (tag, rest.strip_prefix('>').unwrap_or(rest));
        }
        let end = rest.find(|letter: char| letter.is_whitespace() || "=>".contains(letter)).unwrap_or(rest.len());
        let name = rest[..end].to_lowercase();
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after.chars().next().filter(|letter| "\"'".contains(*letter));
            let inner = quote.map_or(after, |_| &after[1..]);
            let end = match quote {
                Some(quote) => inner.find(quote),
                None => inner.find(|letter: char| letter.is_whitespace() || letter == '>'),
            };
            let end = end.unwrap_or(inner.len());
            value = unescape(&inner[..end]);
            rest = &inner[end..];
            rest = quote.and_then(|quote| rest.strip_prefix(quote)).unwrap_or(rest);
        }
        tag.attributes.push((name, value));
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out += &rest[..start];
        rest = &rest[start..];
        let entity = rest.find(';').filter(|end| *end < 10).and_then(|end| Some((decode(&rest[1..end])?, end)));
        if let Some((letter, end)) = entity {
            out.push(letter);
            rest = &rest[end + 1..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out + rest
}

fn decode(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{forms, links, text};

    #[test]
    fn a_form_as_a_browser_sees_it() {
        let html = r#"<a href="/x?a=1&amp;b=2">go</a><form method="POST" action="/do"><input type="hidden" name="csrf" value="a&quot;b">
            <input type=checkbox name=scope value='patient/*.rs' checked><button name="decision" value="allow">Yes</button></form>"#;
        let form = forms(html).remove(0);
        assert_eq!((form.action.as_str(), form.method.as_str()), ("/do", "post"));
        assert_eq!(form.hidden(), [("csrf".to_owned(), "a\"b".to_owned())]);
        assert_eq!(form.values("scope"), ["patient/*.rs"]);
        assert!(form.fields[1].checked && form.fields[2].kind == "submit");
        assert_eq!(links(html), ["/x?a=1&b=2"]);
        assert!(text("<p>a &lt; b</p>").contains("a < b"));
    }
}
