use super::*;
use crate::verb::vm::elf::sample::elf;

const RPATH: u64 = 15;
const RUNPATH: u64 = 29;

/// A folder of files, of which `program` is one; its interpreter is `ld.so` beside it.
struct Case(tempfile::TempDir);

impl Case {
    fn new(needed: &[&str], path: Option<(u64, &str)>) -> Case {
        let case = Case(tempfile::tempdir().unwrap());
        let interpreter = case.0.path().join("ld.so");
        case.put("ld.so", &elf(None, &[], None));
        case.put("program", &elf(interpreter.to_str(), needed, path));
        case
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Names and files of the objects.
    fn load(&self) -> Result<Vec<String>, String> {
        let root = self.0.path().canonicalize().unwrap();
        let program = Loader::default().program(&self.0.path().join("program"))?;
        program.check()?;
        let file = |path: &str| Path::new(path).strip_prefix(&root).unwrap().display().to_string();
        Ok(program.objects.iter().map(|o| format!("{} {}", o.name, file(&o.path))).collect())
    }
}

#[test]
fn libraries_that_need_one_another_are_loaded_once_each() {
    let case = Case::new(&["liba.so.1", "libb.so"], Some((RPATH, "$ORIGIN/lib:/nowhere")));
    case.put("lib/liba.so.1", &elf(None, &["libb.so", "ld.so"], None));
    case.put("lib/libb.so", &elf(None, &["liba.so.1", "libb.so"], None));
    let all = ["program program", "ld ld.so", "liba lib/liba.so.1", "libb lib/libb.so"];
    assert_eq!(case.load().unwrap(), all);
}

#[test]
fn a_runpath_is_for_the_objects_own_needs_only() {
    let case = Case::new(&["liba.so"], Some((RUNPATH, "${ORIGIN}/lib")));
    case.put("lib/liba.so", &elf(None, &["libcowslipb.so"], None));
    case.put("lib/libcowslipb.so", &elf(None, &[], None));
    assert!(case.load().unwrap_err().contains("libcowslipb.so is nowhere"));
    case.put("lib/liba.so", &elf(None, &["libcowslipb.so"], Some((RUNPATH, "$ORIGIN"))));
    assert_eq!(case.load().unwrap().len(), 4);
}

#[test]
fn libraries_of_another_processor_are_passed_over() {
    let case = Case::new(&["liba.so"], Some((RUNPATH, "$ORIGIN/other:$ORIGIN/lib")));
    let mut other = elf(None, &[], None);
    other[18] = 183;
    case.put("other/liba.so", &other);
    case.put("lib/liba.so", &elf(None, &[], None));
    assert_eq!(case.load().unwrap()[2], "liba lib/liba.so");
    case.put("ld.so", &other);
    assert!(case.load().unwrap_err().contains("ld.so: of another processor"));
}

#[test]
fn without_an_interpreter_nothing_else_is_loaded() {
    let case = Case::new(&[], None);
    case.put("program", &elf(None, &["libmissing.so"], None));
    assert_eq!(case.load().unwrap(), ["program program"]);
}

#[test]
fn names_of_areas_are_new_for_each_file() {
    let case = Case::new(&["libx.so.1", "libx.so.2", "+x.so"], Some((RUNPATH, "$ORIGIN")));
    for name in ["libx.so.1", "libx.so.2", "+x.so"] {
        case.put(name, &elf(None, &[], None));
    }
    let names = case.load().unwrap();
    assert_eq!(names[2..], ["libx libx.so.1", "libx_2 libx.so.2", "x_x +x.so"]);
}

#[test]
fn what_has_no_end_is_not_read() {
    let case = Case::new(&[], None);
    case.put("program", &elf(Some("/dev/zero"), &[], None));
    assert!(case.load().unwrap_err().contains("not a regular file"));
    case.put("program", &[0; 100]);
    assert!(case.load().unwrap_err().contains("not an ELF file"));
    let large = std::fs::File::create(case.0.path().join("program")).unwrap();
    large.set_len(FILE + 1).unwrap();
    assert!(case.load().unwrap_err().contains("larger than 256 MiB"));
}

#[test]
fn a_chain_of_libraries_ends() {
    let case = Case::new(&["lib0.so"], Some((RPATH, "$ORIGIN")));
    for number in 0..=OBJECTS {
        let next = format!("lib{}.so", number + 1);
        case.put(&format!("lib{number}.so"), &elf(None, &[&next], None));
    }
    assert!(case.load().unwrap_err().contains("needs more than 256 files"));
}
