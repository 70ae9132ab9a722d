//! No two files of a crate need each other, neither directly nor through others.
//! Never counts a parent's `mod x;`, nor what it hands on of its children: who names that names the child's file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
};

use super::{
    packages,
    sources::{Import, Module, modules},
};

/// One file names something of another one.
#[derive(Debug, Clone)]
pub(crate) struct Arrow {
    from: PathBuf,
    to: PathBuf,
    /// As it is written.
    path: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, path } = self;
        write!(f, "{} -> {} ({path})", from.display(), to.display())
    }
}

/// The circles between the files of the crate with this root: of each, the arrows it is made of.
pub(crate) fn circles(root: &Path) -> Vec<Vec<Arrow>> {
    let arrows = Crate::read(root).arrows();
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for arrow in &arrows {
        next.entry(&arrow.from).or_default().insert(&arrow.to);
    }
    let reached: BTreeMap<&Path, BTreeSet<&Path>> =
        next.keys().map(|file| (*file, reached(&next, file))).collect();
    let mut circles: BTreeMap<BTreeSet<&Path>, Vec<Arrow>> = BTreeMap::new();
    for arrow in &arrows {
        let there = |from: &Path, to: &Path| reached.get(from).is_some_and(|files| files.contains(to));
        if there(&arrow.to, &arrow.from) {
            let files = reached[&*arrow.from]
                .iter()
                .copied()
                .filter(|file| there(file, &arrow.from));
            circles.entry(files.collect()).or_default().push(arrow.clone());
        }
    }
    circles.into_values().collect()
}

/// Every file at the end of some way from this one.
fn reached<'a>(next: &BTreeMap<&'a Path, BTreeSet<&'a Path>>, from: &Path) -> BTreeSet<&'a Path> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(file) = open.pop() {
        for to in next.get(file).into_iter().flatten() {
            if found.insert(*to) {
                open.push(to);
            }
        }
    }
    found
}

struct Crate {
    modules: BTreeMap<Vec<String>, Module>,
}

impl Crate {
    fn read(root: &Path) -> Self {
        let modules = modules(root);
        Self {
            modules: modules
                .into_iter()
                .map(|module| (module.path.clone(), module))
                .collect(),
        }
    }

    fn arrows(&self) -> Vec<Arrow> {
        let mut found: BTreeMap<(&Path, &Path), String> = BTreeMap::new();
        for module in self.modules.values() {
            let imports = module
                .imports
                .iter()
                .filter(|import| !self.hands_on_its_own(module, import))
                .map(|import| &import.path);
            for path in imports.chain(&module.paths) {
                let to = self
                    .absolute(module, path, 0)
                    .and_then(|path| self.file(&path, 0));
                if let Some(to) = to.filter(|to| *to != module.file) {
                    found.entry((&module.file, to)).or_insert_with(|| path.join("::"));
                }
            }
        }
        found
            .into_iter()
            .map(|((from, to), path)| Arrow {
                from: from.to_owned(),
                to: to.to_owned(),
                path,
            })
            .collect()
    }

    fn hands_on_its_own(&self, module: &Module, import: &Import) -> bool {
        let first = import.path.iter().find(|part| *part != "self");
        import.is_public && first.is_some_and(|first| self.child(&module.path, first).is_some())
    }

    fn child(&self, path: &[String], name: &str) -> Option<Vec<String>> {
        let child = [path, &[name.to_owned()]].concat();
        self.modules.contains_key(&child).then_some(child)
    }

    /// The path from the crate's root on, or none when it leads out of the crate.
    fn absolute(&self, module: &Module, path: &[String], depth: usize) -> Option<Vec<String>> {
        let mut base = module.path.clone();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" | "super" => {
                while let [first, after @ ..] = rest
                    && ["self", "super"].contains(&first.as_str())
                {
                    if first == "super" {
                        base.pop();
                    }
                    rest = after;
                }
            }
            name if self.child(&base, name).is_some() => {}
            name => {
                let here = |import: &&Import| import.name.as_deref() == Some(name) && import.path != path;
                let import = module.imports.iter().find(here).filter(|_| depth < DEEPEST)?;
                base = self.absolute(module, &import.path, depth + 1)?;
                rest = &rest[1..];
            }
        }
        Some([&base, rest].concat())
    }

    /// The file that defines what this path names; re-exports are followed.
    fn file(&self, path: &[String], depth: usize) -> Option<&Path> {
        let held = (0..=path.len())
            .rev()
            .find(|parts| self.modules.contains_key(&path[..*parts]))?;
        let module = &self.modules[&path[..held]];
        let Some(name) = path.get(held).filter(|_| depth < DEEPEST) else {
            return Some(&module.file);
        };
        let public = || module.imports.iter().filter(|import| import.is_public);
        let named = public().find(|import| import.name.as_deref() == Some(name));
        if let Some(import) = named {
            let path = self.absolute(module, &import.path, 0);
            return path.map_or(Some(&*module.file), |path| self.file(&path, depth + 1));
        }
        Some(&module.file)
    }
}

/// No honest chain of re-exports is longer.
const DEEPEST: usize = 8;

#[test]
fn no_two_files_of_a_crate_need_each_other() {
    let mut refused = Vec::new();
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            let root = Path::new(target["src_path"].as_str().unwrap());
            for circle in circles(root) {
                refused.extend(circle.iter().map(Arrow::to_string));
                refused.push(String::new());
            }
        }
    }
    assert!(refused.is_empty(), "\n{}", refused.join("\n"));
}
