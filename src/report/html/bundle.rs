//! The page's own files, made one: markup, style and the modules of the script.
//!
//! A browser opens a page from disk without its neighbors, so the modules become one script. Each
//! is an ordinary ES module that imports from those before it by name; taking away `import` lines and
//! the word `export` joins them, as long as no two of them declare the same name (a test holds this).

use std::io;

/// Markup with marks where the rest goes.
const PAGE: &str = include_str!("assets/page.html");
const STYLE: &str = include_str!("assets/page.css");

/// Each module after those that it imports.
pub const MODULES: [(&str, &str); 14] = [
    ("time.js", include_str!("assets/time.js")),
    ("model.js", include_str!("assets/model.js")),
    ("troubles.js", include_str!("assets/troubles.js")),
    ("fork.js", include_str!("assets/fork.js")),
    ("focus.js", include_str!("assets/focus.js")),
    ("states.js", include_str!("assets/states.js")),
    ("lanes.js", include_str!("assets/lanes.js")),
    ("topology.js", include_str!("assets/topology.js")),
    ("tables.js", include_str!("assets/tables.js")),
    ("events.js", include_str!("assets/events.js")),
    ("scrubber.js", include_str!("assets/scrubber.js")),
    ("lesson.js", include_str!("assets/lesson.js")),
    ("run.js", include_str!("assets/run.js")),
    ("app.js", include_str!("assets/app.js")),
];

/// Writes a page of this title around its data, which is JSON.
pub fn write(title: &str, data: &str, to: &mut impl io::Write) -> io::Result<()> {
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("<!--{") {
        let (name, after) = after.split_once("}-->").expect("a mark ends in its line");
        to.write_all(before.as_bytes())?;
        match name {
            "title" => to.write_all(escaped(title).as_bytes())?,
            "style" => to.write_all(STYLE.as_bytes())?,
            "script" => to.write_all(script().as_bytes())?,
            "data" => to.write_all(data.replace('<', "\\u003c").as_bytes())?,
            _ => panic!("page.html has a mark `{name}` that nobody knows"),
        }
        rest = after;
    }
    to.write_all(rest.as_bytes())
}

/// All modules as one.
pub fn script() -> String {
    let lines = MODULES.iter().flat_map(|(_, text)| text.lines());
    let kept = lines.filter(|line| !line.starts_with("import "));
    kept.map(|line| format!("{}\n", line.strip_prefix("export ").unwrap_or(line))).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
