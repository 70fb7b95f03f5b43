//! The rules between the folders, as tests: who may depend on whom, and where the platform is named.

use crate::project::Project;
use crate::stamp::files_below;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Our packages and those of ours each may depend on, in any way (tests included).
const ALLOWED: [(&str, &[&str]); 6] = [
    ("passalong-core", &[]),
    ("passalong-edge", &["passalong-core"]),
    ("passalong-fuzz", &["passalong-core", "passalong-edge"]),
    ("passalong-sim", &["passalong-core", "passalong-edge"]),
    ("passalong-widget", &["passalong-core"]),
    ("xtask", &["passalong-core"]),
];

fn project() -> Project {
    Project::here().unwrap()
}

/// What Cargo makes of the manifests: each of our packages with the names it depends on.
fn manifests() -> Vec<(String, BTreeSet<String>)> {
    let mut cargo = project().cargo();
    let output =
        cargo.args(["metadata", "--no-deps", "--format-version=1", "--offline"]).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let dependencies = package["dependencies"].as_array().unwrap();
            (name(package), dependencies.iter().map(name).collect())
        })
        .collect()
}

#[test]
fn packages_depend_on_each_other_only_as_allowed() {
    let ours: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let manifests = manifests();
    assert!(manifests.len() >= ours.len());
    for (package, dependencies) in &manifests {
        let allowed = ALLOWED.iter().find(|(name, _)| name == package).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else { panic!("{package} has no place in the layering yet") };
        for dependency in dependencies.iter().filter(|name| ours.contains(name.as_str())) {
            assert!(
                allowed.contains(&dependency.as_str()),
                "{package} must not depend on {dependency}"
            );
        }
    }
}

/// Each package that is built for this one, with the features it is built with.
fn features_of(package: &str) -> String {
    let mut cargo = project().cargo();
    cargo.args(["tree", "--offline", "--package", package, "--prefix=none", "--format={p} {f}"]);
    let output = cargo.args(["--edges=normal"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_deployed_has_no_deliberate_faults() {
    assert!(features_of("passalong-sim").contains("mutations"), "the simulator has them");
    for deployed in ["passalong-edge", "passalong-widget"] {
        let features = features_of(deployed);
        assert!(features.contains("passalong-core"), "{features}");
        assert!(!features.contains("mutations"), "{deployed}: {features}");
    }
}

#[test]
fn only_the_edge_knows_the_platform() {
    for (package, dependencies) in manifests() {
        for name in ["worker", "worker-sys", "worker-macros"] {
            let is_edge = package == "passalong-edge";
            assert!(is_edge || !dependencies.contains(name), "{package} must not depend on {name}");
        }
    }
    let sources = project().path("edge/src");
    for file in files_below(&sources).unwrap() {
        let name = file.strip_prefix(&sources).unwrap();
        if name == Path::new("lib.rs") || name.starts_with("platform") {
            continue;
        }
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let code = line.split("//").next().unwrap();
            assert!(!names_worker(code), "{}:{}: {line}", file.display(), number + 1);
        }
    }
}

/// Whether a line of code names the crate `worker`, as a path or in a `use`.
fn names_worker(code: &str) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices("worker").any(|(at, word)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + word.len()..];
        let is_use =
            code[..at].trim_end().ends_with("use") || code[..at].trim_end().ends_with("crate");
        !before.is_some_and(is_word)
            && (after.starts_with("::") || (is_use && !after.starts_with(is_word)))
    })
}

#[test]
fn the_search_for_the_platform_finds_it() {
    for code in [
        "use worker::Env;",
        "worker::console_log!(\"x\");",
        "use worker;",
        "fn f(e: &worker::Env)",
        "extern crate worker;",
    ] {
        assert!(names_worker(code), "{code}");
    }
    for code in ["let worker = 1;", "my_worker::f()", "use worker_sys::X;", "// nothing"] {
        assert!(!names_worker(code), "{code}");
    }
}

/// What a stranger sent is compared with what is right in one place, in constant time, and codes are made
/// there as a type that has no `==`. So nothing else needs to be looked at for timing.
#[test]
fn authentication_codes_are_made_and_compared_in_one_place() {
    let project = project();
    let mut places = BTreeSet::new();
    for folder in ["core/src", "edge/src"] {
        for file in files_below(&project.path(folder)).unwrap() {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().map(|line| line.split("//").next().unwrap());
            if code.into_iter().any(|line| {
                ["ct_eq", "subtle::", "Hmac<", "finalize(", "verify_slice"]
                    .iter()
                    .any(|sign| line.contains(sign))
            }) {
                places.insert(file.strip_prefix(project.path("")).unwrap().to_owned());
            }
        }
    }
    assert_eq!(places, BTreeSet::from([Path::new("core/src/mac.rs").to_owned()]));
}

/// A lock file with addresses would tie everyone to the registry of whoever wrote it.
#[test]
fn no_file_names_a_package_registry() {
    let lock = fs::read_to_string(project().path("package-lock.json")).unwrap();
    for forbidden in ["\"resolved\"", ".tgz"] {
        assert!(!lock.contains(forbidden), "package-lock.json has {forbidden}");
    }
    let npmrc = fs::read_to_string(project().path(".npmrc")).unwrap();
    assert!(npmrc.lines().any(|line| line == "omit-lockfile-registry-resolved=true"));
    assert!(!npmrc.contains("://"), ".npmrc names a host");
    let cargo = fs::read_to_string(project().path("Cargo.lock")).unwrap();
    for source in cargo.lines().filter_map(|line| line.strip_prefix("source = ")) {
        assert_eq!(source, "\"registry+https://github.com/rust-lang/crates.io-index\"");
    }
}

/// `npm ci` refuses a lock file that misses the packages of other platforms, as npm writes one where the
/// registry has not got them all.
#[test]
fn the_lock_file_holds_the_packages_of_every_platform() {
    let lock = crate::tools::read_json(&project().path("package-lock.json")).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    for (name, package) in packages {
        for platform in
            package["optionalDependencies"].as_object().into_iter().flat_map(|all| all.keys())
        {
            let is_there =
                packages.keys().any(|path| path.ends_with(&format!("node_modules/{platform}")));
            assert!(is_there, "{name} needs {platform}, which is not locked");
        }
    }
}

/// Everyone gets the same tools: exact versions, and the same Node for all of them.
#[test]
fn npm_packages_are_named_in_exact_versions() {
    let manifest = crate::tools::read_json(&project().path("package.json")).unwrap();
    for (name, version) in manifest["devDependencies"].as_object().unwrap() {
        let version = version.as_str().unwrap();
        assert!(
            version.starts_with(|character: char| character.is_ascii_digit()),
            "{name} {version}"
        );
    }
    assert!(manifest.get("dependencies").is_none(), "nothing of npm is part of what we ship");
}
