//! Holds the rules of good markup over every sample page and every template.

use std::collections::HashSet;

use super::samples;

/// One start tag with its attributes.
struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, &'a str)>,
    /// Where the tag ends in the page.
    end: usize,
}

impl Tag<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Reads the start tags of our own, well-formed pages; an unescaped `<` in a text shows up as an unknown tag.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = html[at..].find('<').map(|offset| at + offset) {
        let Some(close) = end_of_tag(html, open) else { break };
        let inside = &html[open + 1..close];
        if inside.starts_with(|c: char| c.is_ascii_alphabetic()) {
            found.push(Tag { end: close + 1, ..parse(inside) });
        }
        at = close + 1;
    }
    found
}

fn end_of_tag(html: &str, open: usize) -> Option<usize> {
    let mut quote = None;
    html[open..].char_indices().find_map(|(offset, c)| match (quote, c) {
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(q), c) if q == c => {
            quote = None;
            None
        }
        (None, '>') => Some(open + offset),
        (None | Some(_), _) => None,
    })
}

fn parse(inside: &str) -> Tag<'_> {
    let name_end = inside.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(inside.len());
    let mut attributes = Vec::new();
    let mut rest = inside[name_end..].trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    while !rest.is_empty() {
        let key_end = rest.find(|c: char| c == '=' || c.is_whitespace() || c == '/').unwrap_or(rest.len());
        let key = &rest[..key_end];
        rest = &rest[key_end..];
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let quote = after.chars().next().unwrap_or('"');
            let body = &after[1..];
            let end = body.find(quote).unwrap_or(body.len());
            value = &body[..end];
            rest = &body[(end + 1).min(body.len())..];
        }
        attributes.push((key, value));
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    }
    Tag { name: &inside[..name_end], attributes, end: 0 }
}

/// What a button or link says, without its markup.
fn text_after(html: &str, tag: &Tag<'_>) -> String {
    let closing = format!("</{}>", tag.name);
    let body = html[tag.end..].find(&closing).map_or("", |end| &html[tag.end..tag.end + end]);
    let mut text = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    text.trim().to_owned()
}

fn each_page(check: impl Fn(&str, &str, &[Tag<'_>])) {
    for (name, html) in samples::all() {
        let found = tags(&html);
        assert!(found.len() > 10, "{name} has hardly any markup");
        check(&name, &html, &found);
    }
}

#[test]
fn an_id_stands_once_on_a_page_and_references_lead_somewhere() {
    each_page(|name, _, tags| {
        let mut ids = HashSet::new();
        for id in tags.iter().filter_map(|tag| tag.get("id")) {
            assert!(ids.insert(id), "{name}: id {id} stands twice");
        }
        let referring = ["for", "aria-labelledby", "aria-describedby", "data-copy"];
        for (key, value) in tags.iter().flat_map(|tag| tag.attributes.iter()) {
            let targets: Vec<&str> = match *key {
                "hx-select" | "hx-target" if value.starts_with('#') => vec![&value[1..]],
                "href" if value.starts_with('#') && value.len() > 1 => vec![&value[1..]],
                key if referring.contains(&key) => value.split(' ').collect(),
                _ => vec![],
            };
            for target in targets {
                assert!(ids.contains(target), "{name}: {key} leads to {target}, which is not there");
            }
        }
    });
}

#[test]
fn every_control_has_a_label_and_every_button_a_text() {
    each_page(|name, html, tags| {
        let labelled: HashSet<&str> = tags.iter().filter(|t| t.name == "label").filter_map(|t| t.get("for")).collect();
        for tag in tags.iter().filter(|tag| matches!(tag.name, "input" | "select" | "textarea")) {
            let is_hidden = tag.get("type") == Some("hidden");
            let has_for = tag.get("id").is_some_and(|id| labelled.contains(id));
            let is_wrapped = matches!(tag.get("type"), Some("checkbox" | "radio"));
            assert!(
                is_hidden || has_for || is_wrapped || tag.has("aria-label"),
                "{name}: {:?} has no label",
                tag.attributes
            );
        }
        for tag in tags.iter().filter(|tag| matches!(tag.name, "button" | "a")) {
            let says = !text_after(html, tag).is_empty() || tag.has("aria-label");
            assert!(says, "{name}: a {} without text: {:?}", tag.name, tag.attributes);
        }
        for tag in tags.iter().filter(|tag| tag.name == "button") {
            assert!(tag.has("type"), "{name}: a button without type");
        }
    });
}

#[test]
fn a_page_has_one_main_heading_a_title_and_a_way_past_the_menu() {
    each_page(|name, html, tags| {
        assert_eq!(tags.iter().filter(|tag| tag.name == "h1").count(), 1, "{name}: number of h1");
        assert_eq!(tags.iter().filter(|tag| tag.name == "title").count(), 1, "{name}: number of titles");
        assert_eq!(tags.iter().filter(|tag| tag.name == "main").count(), 1, "{name}: number of main");
        assert!(html.contains("href=\"#content\""), "{name}: no skip link");
        assert!(html.contains("<html lang=\"en\""), "{name}: no language");
    });
}

#[test]
fn headings_go_down_one_step_at_a_time() {
    each_page(|name, _, tags| {
        let mut last = 1;
        for tag in tags.iter().filter(|tag| matches!(tag.name, "h1" | "h2" | "h3" | "h4")) {
            let level: u32 = tag.name[1..].parse().unwrap();
            assert!(level <= last + 1, "{name}: h{level} after h{last}");
            last = level;
        }
    });
}

#[test]
fn header_cells_say_what_they_head() {
    each_page(|name, _, tags| {
        for tag in tags.iter().filter(|tag| tag.name == "th") {
            assert!(tag.has("scope"), "{name}: a th without scope");
        }
    });
}

#[test]
fn nothing_is_styled_or_scripted_in_the_page_itself() {
    each_page(|name, html, tags| {
        for tag in tags {
            assert!(tag.name != "style", "{name}: a style element");
            assert!(tag.name != "script" || tag.has("src"), "{name}: an inline script");
            for (key, value) in &tag.attributes {
                let lower = key.to_lowercase();
                assert!(lower != "style", "{name}: a style attribute: {value}");
                assert!(!lower.starts_with("on"), "{name}: {key} is script");
                assert!(!value.trim_start().to_lowercase().starts_with("javascript:"), "{name}: script in {key}");
            }
            assert!(
                tag.get("tabindex").is_none_or(|index| index.parse::<i32>().unwrap() <= 0),
                "{name}: positive tabindex"
            );
        }
        assert!(!html.contains("http://"), "{name}: an absolute address");
    });
}

#[test]
fn what_people_are_called_never_becomes_markup() {
    each_page(|name, html, _| {
        assert!(!html.contains("<script>"), "{name}: a name became a script");
        assert!(!html.contains("<b></td>"), "{name}: a department became markup");
    });
}

#[test]
fn only_attributes_of_htmx_4_without_eval_are_used() {
    let known = [
        "hx-get",
        "hx-post",
        "hx-select",
        "hx-target",
        "hx-swap",
        "hx-trigger",
        "hx-include",
        "hx-vals",
        "hx-replace-url",
        "hx-sse:connect",
    ];
    each_page(|name, _, tags| {
        for (key, value) in tags.iter().flat_map(|tag| tag.attributes.iter()).filter(|(key, _)| key.starts_with("hx-"))
        {
            assert!(known.contains(key), "{name}: {key} is not on the list of reviewed attributes");
            assert!(!value.contains("js:") && !value.contains("javascript:"), "{name}: {key} needs eval");
            assert!(*key != "hx-trigger" || !value.contains('['), "{name}: a trigger filter needs eval");
        }
    });
}

#[test]
fn what_reloads_itself_can_be_found_again_in_its_own_page() {
    each_page(|name, _, tags| {
        for tag in tags.iter().filter(|tag| tag.has("hx-get") || tag.has("hx-post")) {
            assert!(tag.has("hx-select"), "{name}: {:?} would swap a whole page into itself", tag.attributes);
        }
    });
}

#[test]
fn every_form_and_link_works_without_script() {
    each_page(|name, _, tags| {
        for tag in tags.iter().filter(|tag| tag.name == "form") {
            assert!(tag.has("action") && tag.has("method") || tag.has("role"), "{name}: {:?}", tag.attributes);
        }
        for tag in tags.iter().filter(|tag| tag.name == "a") {
            assert!(tag.get("href").is_some_and(|href| !href.is_empty()), "{name}: a link to nowhere");
        }
    });
}

#[test]
fn no_page_is_heavier_than_its_share_of_the_first_load() {
    for (name, html) in samples::all() {
        assert!(html.len() < 64 * 1024, "{name} has {} bytes", html.len());
    }
}

/// For looking at: `cargo test -p rollcall --lib draw_the_gallery -- --ignored`.
#[test]
#[ignore = "writes files for people to look at"]
fn draw_the_gallery() {
    let folder = std::env::temp_dir().join("rollcall-gallery");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, html) in samples::all() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
