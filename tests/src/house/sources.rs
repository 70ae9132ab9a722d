//! The modules of a crate: which files it has, and which paths each of them writes.
//! Never compiles: a file is read as Rust's tokens. What is under `#[cfg(test)]` is left out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, TokenStream, TokenTree};

/// One module; several may share a file.
#[derive(Debug)]
pub(crate) struct Module {
    /// From the crate's root on.
    pub(crate) path: Vec<String>,
    pub(crate) file: PathBuf,
    pub(crate) imports: Vec<Import>,
    /// The qualified paths of everything but its imports.
    pub(crate) paths: Vec<Vec<String>>,
}

/// One name of a `use`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// The name it has here; a glob has none.
    pub(crate) name: Option<String>,
    pub(crate) is_public: bool,
}

/// Reads the crate whose root is this file.
pub(crate) fn modules(root: &Path) -> Vec<Module> {
    let mut reader = Reader::default();
    reader.file(Vec::new(), root, root.parent().unwrap());
    reader.modules
}

#[derive(Default)]
struct Reader {
    modules: Vec<Module>,
}

/// Where tokens stand: in which module, and in which folder the files of its own modules are.
#[derive(Clone, Copy)]
struct Place<'a> {
    module: usize,
    folder: &'a Path,
}

impl Reader {
    fn file(&mut self, path: Vec<String>, file: &Path, folder: &Path) {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let tokens: TokenStream = text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.module(path, file, folder, tokens);
    }

    fn module(&mut self, path: Vec<String>, file: &Path, folder: &Path, tokens: TokenStream) {
        let module = self.modules.len();
        self.modules.push(Module {
            path,
            file: file.to_owned(),
            imports: Vec::new(),
            paths: Vec::new(),
        });
        self.tokens(Place { module, folder }, tokens);
    }

    fn tokens(&mut self, place: Place<'_>, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let (mut rest, mut named_file) = (&tokens[..], None);
        while !rest.is_empty() {
            rest = match self.item(place, rest, &mut named_file) {
                Some(after) => after,
                None => self.other(place, rest, &mut named_file),
            };
        }
    }

    /// Reads a `use`, a `mod` or a visibility, if these tokens begin with one; what follows it.
    fn item<'a>(
        &mut self,
        place: Place<'_>,
        tokens: &'a [TokenTree],
        named_file: &mut Option<String>,
    ) -> Option<&'a [TokenTree]> {
        let (is_public, rest) = visibility(tokens);
        match rest {
            [TokenTree::Ident(word), after @ ..] if word == "use" => {
                Some(self.import(place, after, is_public))
            }
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Punct(end),
                after @ ..,
            ] if word == "mod" && is(end, ';') => {
                self.declared(place, name, named_file.take());
                Some(after)
            }
            [
                TokenTree::Ident(word),
                TokenTree::Ident(name),
                TokenTree::Group(body),
                after @ ..,
            ] if word == "mod" => {
                let file = self.modules[place.module].file.clone();
                let folder = place.folder.join(name.to_string());
                self.module(self.child(place, name), &file, &folder, body.stream());
                Some(after)
            }
            after => is_public.then_some(after),
        }
    }

    /// Reads an attribute, a path or a group, or passes one token; what follows it.
    fn other<'a>(
        &mut self,
        place: Place<'_>,
        tokens: &'a [TokenTree],
        named_file: &mut Option<String>,
    ) -> &'a [TokenTree] {
        match tokens {
            [TokenTree::Punct(hash), TokenTree::Group(attribute), after @ ..] if is(hash, '#') => {
                if attribute.to_string().replace(' ', "") == "[cfg(test)]" {
                    return after_item(after);
                }
                self.attribute(place.module, attribute, named_file);
                after
            }
            [TokenTree::Ident(_), ..] => {
                let (path, after) = path(tokens);
                if path.len() > 1 {
                    self.modules[place.module].paths.push(path);
                }
                after
            }
            // `::std::…`, or what follows a type's arguments: no path of this crate begins here.
            [TokenTree::Punct(one), TokenTree::Punct(two), after @ ..] if is(one, ':') && is(two, ':') => {
                path(after).1
            }
            [TokenTree::Group(group), after @ ..] => {
                self.tokens(place, group.stream());
                after
            }
            _ => &tokens[1..],
        }
    }

    fn child(&self, place: Place<'_>, name: &Ident) -> Vec<String> {
        let mut path = self.modules[place.module].path.clone();
        path.push(name.to_string());
        path
    }

    /// `mod name;`: its file stands beside the others of this module, or is named.
    fn declared(&mut self, place: Place<'_>, name: &Ident, named: Option<String>) {
        let path = self.child(place, name);
        let folder = place.folder.join(name.to_string());
        let file = match named {
            Some(named) => self.modules[place.module].file.with_file_name(named),
            None if folder.join("mod.rs").exists() => folder.join("mod.rs"),
            None => folder.with_extension("rs"),
        };
        self.file(path, &file, &folder);
    }

    /// Attributes name functions in strings: `with = "crate::…"`.
    fn attribute(&mut self, module: usize, attribute: &Group, named_file: &mut Option<String>) {
        let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
        match &tokens[..] {
            [TokenTree::Ident(word), ..] if word == "doc" => {}
            [TokenTree::Ident(word), _, TokenTree::Literal(file)] if word == "path" => {
                *named_file = Some(quoted(file));
            }
            _ => self.strings(module, attribute.stream()),
        }
    }

    fn strings(&mut self, module: usize, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.strings(module, group.stream()),
                TokenTree::Literal(literal) => {
                    let path: Vec<String> = quoted(&literal).split("::").map(str::to_owned).collect();
                    if path.len() > 1 && ["crate", "super", "self"].contains(&&*path[0]) {
                        self.modules[module].paths.push(path);
                    }
                }
                _ => {}
            }
        }
    }

    fn import<'a>(&mut self, place: Place<'_>, tokens: &'a [TokenTree], is_public: bool) -> &'a [TokenTree] {
        // `impl Trait + use<'a>` imports nothing.
        if matches!(tokens, [TokenTree::Punct(open), ..] if is(open, '<')) {
            return tokens;
        }
        let end = tokens
            .iter()
            .position(|token| matches!(token, TokenTree::Punct(end) if is(end, ';')))
            .unwrap_or(tokens.len());
        let imports = &mut self.modules[place.module].imports;
        imported(&[], &tokens[..end], &mut |path, name| {
            imports.push(Import {
                path,
                name,
                is_public,
            });
        });
        &tokens[end..]
    }
}

/// The names of one tree of a `use`.
fn imported(before: &[String], tree: &[TokenTree], found: &mut impl FnMut(Vec<String>, Option<String>)) {
    // A leading `::` names another crate.
    if matches!(tree, [TokenTree::Punct(colon), ..] if is(colon, ':')) {
        return;
    }
    let (path, rest) = path(tree);
    let mut whole = [before, &path].concat();
    match rest {
        [] => {
            // `self` in braces is the module itself.
            if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
                whole.pop();
            }
            let name = whole.last().cloned();
            found(whole, name);
        }
        [TokenTree::Ident(word), TokenTree::Ident(name)] if word == "as" => {
            if whole.len() > 1 && whole.last().is_some_and(|last| last == "self") {
                whole.pop();
            }
            found(whole, Some(name.to_string()));
        }
        [.., TokenTree::Punct(star)] if is(star, '*') => found(whole, None),
        [.., TokenTree::Group(group)] => {
            let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
            let comma = |token: &TokenTree| matches!(token, TokenTree::Punct(comma) if is(comma, ','));
            for tree in tokens.split(comma).filter(|tree| !tree.is_empty()) {
                imported(&whole, tree, found);
            }
        }
        _ => panic!("no `use` as this reader knows it: {whole:?} {rest:?}"),
    }
}

/// `a::b::c` at the beginning of these tokens, and what follows it.
fn path(tokens: &[TokenTree]) -> (Vec<String>, &[TokenTree]) {
    let mut path = Vec::new();
    let mut rest = tokens;
    if let [TokenTree::Ident(first), after @ ..] = rest {
        path.push(first.to_string());
        rest = after;
    }
    while let [
        TokenTree::Punct(one),
        TokenTree::Punct(two),
        TokenTree::Ident(next),
        after @ ..,
    ] = rest
        && !path.is_empty()
        && is(one, ':')
        && is(two, ':')
    {
        path.push(next.to_string());
        rest = after;
    }
    (path, rest)
}

/// What follows the item that begins here: it ends with its `;` or its braces.
fn after_item(tokens: &[TokenTree]) -> &[TokenTree] {
    let end = tokens.iter().position(|token| match token {
        TokenTree::Punct(end) => is(end, ';'),
        TokenTree::Group(body) => body.delimiter() == Delimiter::Brace,
        _ => false,
    });
    end.map_or(&[], |end| &tokens[end + 1..])
}

/// Whether these tokens begin with `pub`, and what follows it.
fn visibility(tokens: &[TokenTree]) -> (bool, &[TokenTree]) {
    let limits = |group: &Group| {
        let words = group.stream().to_string();
        group.delimiter() == Delimiter::Parenthesis
            && (["crate", "super", "self"].contains(&&*words) || words.starts_with("in "))
    };
    match tokens {
        [TokenTree::Ident(word), TokenTree::Group(group), after @ ..] if word == "pub" && limits(group) => {
            (true, after)
        }
        [TokenTree::Ident(word), after @ ..] if word == "pub" => (true, after),
        _ => (false, tokens),
    }
}

fn is(punct: &Punct, letter: char) -> bool {
    punct.as_char() == letter
}

fn quoted(literal: &Literal) -> String {
    literal.to_string().trim_matches('"').to_owned()
}
