//! The reader of circles on trees that are made up.
//! Never looks at this workspace.

use std::fs;

use super::circles::circles;

/// The arrows of each circle of a crate with these files, as `from -> to`.
fn found(files: &[(&str, &str)]) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let short = |arrow: String| arrow.replace(&format!("{}/", folder.path().display()), "");
    circles(&folder.path().join("lib.rs"))
        .into_iter()
        .map(|circle| circle.iter().map(|arrow| short(arrow.to_string())).collect())
        .collect()
}

fn none(files: &[(&str, &str)]) {
    assert_eq!(found(files), Vec::<Vec<String>>::new());
}

#[test]
fn two_files_that_need_each_other_are_named_with_both_arrows() {
    let circles = found(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", "use crate::b::Of;"),
        ("b.rs", "fn f() { let _ = super::a::g(); }"),
        ("c.rs", "use crate::{a, b};"),
    ]);
    assert_eq!(
        circles,
        [["a.rs -> b.rs (crate::b::Of)", "b.rs -> a.rs (super::a::g)"]]
    );
}

#[test]
fn a_longer_circle_and_one_of_a_parent_and_its_child_are_two() {
    let circles = found(&[
        ("lib.rs", "mod a; mod b; mod c; mod room;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C;"),
        ("c.rs", "use crate::a::A;"),
        ("room/mod.rs", "mod inner; fn f() { inner::g() }"),
        ("room/inner.rs", "use super::f;"),
    ]);
    let sizes: Vec<usize> = circles.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 2], "{circles:?}");
}

#[test]
fn a_re_export_is_followed_to_the_file_that_defines() {
    // `room` hands on its child's name, which is no need of its own.
    let room = [
        ("lib.rs", "mod user; mod room;"),
        (
            "room/mod.rs",
            "mod inner; pub(crate) use inner::Thing; pub struct Other;",
        ),
    ];
    none(&[
        room[0],
        room[1],
        ("user.rs", "use crate::room::Thing;"),
        ("room/inner.rs", "use super::Other; pub(crate) struct Thing;"),
    ]);
    let circles = found(&[
        room[0],
        room[1],
        ("user.rs", "use crate::room::{Thing as One};"),
        ("room/inner.rs", "use crate::user; pub(crate) struct Thing;"),
    ]);
    assert_eq!(
        circles,
        [[
            "room/inner.rs -> user.rs (crate::user)",
            "user.rs -> room/inner.rs (crate::room::Thing)"
        ]]
    );
}

#[test]
fn macros_attributes_and_imported_modules_are_read() {
    for text in [
        "fn f() -> String { format!(\"{}\", crate::b::X) }",
        "struct S { #[serde(with = \"crate::b::date\")] at: i64 }",
        "fn f(x: Vec<super::b::B>) {}",
        "use crate::room; fn f() { room::handed_on() }",
        "fn f() { use self::super::b::X; }",
        "pub use crate::b::X;",
        "mod inside { use super::super::b; }",
    ] {
        let circles = found(&[
            ("lib.rs", "mod a; mod b; mod room;"),
            ("a.rs", text),
            ("b.rs", "use crate::a;"),
            ("room.rs", "pub use crate::b::handed_on;"),
        ]);
        assert_eq!(circles.len(), 1, "{text}");
    }
}

#[test]
fn tests_other_crates_and_comments_are_no_arrows() {
    for text in [
        "#[cfg(test)] mod tests { use crate::b::X; }",
        "#[cfg(test)] mod tests;",
        "#[cfg(test)] use crate::b;",
        "fn f() { ::b::g(); std::b::g(); }",
        "// crate::b::X",
        "/// crate::b::X\nstruct S;",
        "pub(in crate::b) struct S; pub(crate) fn f() { \"crate::b::X\"; }",
    ] {
        none(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", text),
            ("b.rs", "use crate::a;"),
            ("a/tests.rs", "use crate::b;"),
        ]);
    }
}

#[test]
fn a_file_that_is_named_is_found() {
    let circles = found(&[
        ("lib.rs", "#[path = \"odd.rs\"] mod a; mod b;"),
        ("odd.rs", "use crate::b;"),
        ("b.rs", "use crate::a;"),
    ]);
    assert_eq!(circles.len(), 1);
}
