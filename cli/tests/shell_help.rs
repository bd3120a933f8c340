//! Help, version, completions and man pages come from the argument parser; usage errors exit
//! with 2.

mod support;
use support::cowslip;

#[test]
fn help_names_every_verb_and_hides_the_hidden_one() {
    let help = cowslip(["--help"], b"").ok();
    for verb in "create put get del scan load dump tables snapshot branch rollback diff send \
                 receive bookmark fsck stats compact scrub tour completions man"
        .split_whitespace()
    {
        assert!(help.lines().any(|line| line.trim_start().starts_with(verb)), "{verb}");
        cowslip([verb, "--help"], b"").ok();
    }
    assert!(!help.contains("tour-child"));
    assert!(help.contains("Exit status"));
    assert!(cowslip(["--version"], b"").ok().starts_with("cowslip "));
}

#[test]
fn usage_errors_exit_with_2() {
    let rows: [&[&str]; 4] =
        [&["nonsense"], &["get"], &["scan", "f", "t", "--limit", "x"], &["tour", "one"]];
    for args in rows {
        assert!(cowslip(args, b"").fails(2).contains("--help"), "{args:?}");
    }
}

#[test]
fn completions_and_man_pages_are_generated() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(cowslip(["completions", shell], b"").ok().contains("cowslip"), "{shell}");
    }
    assert!(cowslip(["man"], b"").ok().contains(".TH cowslip 1"));
    let folder = tempfile::tempdir().unwrap();
    cowslip(["man", "--dir", folder.path().to_str().unwrap()], b"").ok();
    for page in ["cowslip.1", "cowslip-put.1", "cowslip-snapshot-create.1"] {
        assert!(folder.path().join(page).exists(), "{page}");
    }
}

#[test]
fn without_a_verb_there_is_help_and_exit_status_2() {
    for args in [&[][..], &["snapshot"], &["branch"], &["bookmark"]] {
        let output = support::command().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("Commands:"), "{args:?}");
    }
}
