//! The command keeps the exit statuses of fsck(8), and prints text or one JSON object.

mod support;

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_cowslip-fsck")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn exit_statuses_and_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cow");
    let file = path.to_str().unwrap();
    let mut image = support::image();
    std::fs::write(file, &image).unwrap();
    let (status, out, _) = run(&[file]);
    assert_eq!(status, 0);
    assert!(out.ends_with("clean: no problems found\n"), "{out}");

    image[70] ^= 1;
    std::fs::write(file, &image).unwrap();
    let (status, out, _) = run(&[file, "--json"]);
    assert_eq!(status, 4);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["problems"][0]["code"], "F0102");
    assert_eq!(json["exit_code"], 4);

    std::fs::write(file, "notes of mine").unwrap();
    let (status, out, error) = run(&[file]);
    assert_eq!((status, out.as_str()), (8, ""));
    assert!(error.contains("x.cow"));
    assert_eq!(run(&["/no/such/file"]).0, 8);
    assert_eq!(run(&[]).0, 16);
    assert_eq!(run(&["--no-such-option", file]).0, 16);
    assert_eq!(run(&["--list-problems"]).0, 0);
}

#[test]
fn repair_says_what_it_did_and_can_be_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cow");
    let undo = folder.path().join("x.undo");
    let (file, undo) = (path.to_str().unwrap(), undo.to_str().unwrap());
    let mut wreck = support::Wreck::new();
    std::fs::write(file, &wreck.bytes).unwrap();
    let (status, out, _) = run(&[file, "--repair"]);
    assert_eq!((status, out.as_str()), (0, "clean: nothing to repair\n"));

    wreck.bytes[70] ^= 1;
    std::fs::write(file, &wreck.bytes).unwrap();
    let (status, out, _) = run(&[file, "--repair"]);
    assert_eq!(status, 1);
    assert!(out.ends_with("1 problem repaired; nothing was lost\n"), "{out}");

    let leaf = wreck.nodes(3, 0)[3];
    wreck.flip(leaf, 2000);
    std::fs::write(file, &wreck.bytes).unwrap();
    let (status, out, _) = run(&[file, "--repair"]);
    assert_eq!(status, 4);
    assert!(out.contains("--repair=lossy does it"), "{out}");
    let before = std::fs::read(file).unwrap();
    let (status, out, _) = run(&[file, "--repair=lossy", "--undo", undo, "--json"]);
    assert_eq!(status, 1);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["exit_code"], &json["losses"][0]["code"]), (&1.into(), &"F0402".into()));
    assert_eq!(run(&[file]).0, 0);
    let (status, out, _) = run(&[file, "--undo-apply", undo]);
    assert_eq!(status, 0, "{out}");
    assert!(std::fs::read(file).unwrap() == before);
    assert_eq!(run(&[file, "--undo-apply", file]).0, 8);
    assert_eq!(run(&[file, "--undo", undo]).0, 16);
    assert_eq!(run(&[file, "--repair=some"]).0, 16);
}

#[test]
fn salvage_writes_a_new_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.cow");
    let out = folder.path().join("out.cow");
    let (file, out) = (path.to_str().unwrap(), out.to_str().unwrap());
    let mut wreck = support::Wreck::new();
    let leaf = wreck.nodes(3, 0)[3];
    wreck.flip(leaf, 2000);
    std::fs::write(file, &wreck.bytes).unwrap();
    let (status, text, error) = run(&[file, "--salvage", out]);
    assert_eq!((status, error.as_str()), (1, ""), "{text}");
    assert!(text.contains("not taken over: machine \"machine\""), "{text}");
    assert!(text.contains("in part, or uncertain"), "{text}");
    assert!(std::fs::read(file).unwrap() == wreck.bytes);
    assert_eq!(run(&[out]).0, 0);
    let (status, _, error) = run(&[file, "--salvage", out]);
    assert_eq!(status, 8);
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(run(&[file, "--salvage", out, "--repair"]).0, 16);
    // Nothing is left of one that fails.
    let nowhere = folder.path().join("none/out.cow");
    assert_eq!(run(&[file, "--salvage", nowhere.to_str().unwrap()]).0, 8);
    std::fs::write(file, "notes of mine").unwrap();
    let other = folder.path().join("other.cow");
    let (status, text, _) = run(&[file, "--salvage", other.to_str().unwrap(), "--json"]);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &json["exit_code"]), (4, &4.into()));
    assert!(!other.exists());
}

#[test]
fn what_a_salvage_would_not_heed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("x.cow"), folder.path().join("out.cow"));
    std::fs::write(&path, support::image()).unwrap();
    let (file, out) = (path.to_str().unwrap(), out.to_str().unwrap());
    for more in [&["--undo", "x.undo"][..], &["--live"], &["--no-replay"], &["--repair"]] {
        assert_eq!(run(&[&[file, "--salvage", out], more].concat()).0, 16, "{more:?}");
    }
    assert_eq!(run(&[file, "--undo-apply", "a", "--undo", "b"]).0, 16);
    assert!(!std::path::Path::new(out).exists());
}
