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
