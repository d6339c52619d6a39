"""Where .NET is looked for, and how what was found is started inside."""

import shutil
from pathlib import Path

import pytest

from alonzo.runtimes.base import Launch, Link, RuntimeUnavailableError, VisiblePath
from alonzo.runtimes.dotnet import DotnetFamily, launch_of
from alonzo.runtimes.dotnets import Dotnet, Dotnets
from alonzo.runtimes.interpreters import SearchPlaces

PROGRAM = Path(shutil.which("true")).resolve()


def install(root, *versions):
    for version in versions:
        (root / "shared/Microsoft.NETCore.App" / version).mkdir(parents=True)
        (root / "host/fxr" / version).mkdir(parents=True)
    shutil.copy(PROGRAM, root / "dotnet")
    (root / "dotnet").chmod(0o755)
    return root


def ours(places, folder):
    """What is found below a folder: the host may have others."""
    return [each for each in Dotnets(places).all() if each.root.is_relative_to(folder)]


def test_one_installation_has_many_versions_of_which_the_newest_of_each_major_counts(tmp_path):
    root = install(tmp_path / "a", "8.0.9", "8.0.20", "10.0.1", "11.0.0-rc.1.25451.107", "lib")
    assert ours(SearchPlaces(dotnet_root=root), tmp_path) == [
        Dotnet(root, 10, "10.0.1"),
        Dotnet(root, 8, "8.0.20"),
    ]


def test_places_are_asked_in_their_order_and_links_are_followed(tmp_path):
    named = install(tmp_path / "named", "90.0.1")
    on_path = install(tmp_path / "lib/dotnet", "90.0.2")
    wheel = install(tmp_path / "tools/dotnet8/dnv/net/runtime/.net", "90.0.3")
    home = install(tmp_path / "home/.dotnet", "90.0.4")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/dotnet").symlink_to(on_path / "dotnet")
    places = SearchPlaces(
        path=(Path("relative"), tmp_path / "bin", on_path),
        home=tmp_path / "home",
        extra=(tmp_path / "tools",),
        dotnet_root=named,
    )
    assert [each.root for each in ours(places, tmp_path)] == [named, on_path, home, wheel]
    assert Dotnets(places).find(90).version == "90.0.1"


def test_what_is_no_whole_installation_is_passed_over(tmp_path):
    (install(tmp_path / "script", "90.0.1") / "dotnet").write_text("#!/bin/sh\n")
    shutil.rmtree(install(tmp_path / "host-only", "90.0.1") / "shared")
    (install(tmp_path / "program", "90.0.1") / "dotnet").chmod(0o644)
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop/dotnet").symlink_to(tmp_path / "loop/dotnet")
    assert ours(SearchPlaces(extra=(tmp_path,)), tmp_path) == []


def test_one_that_is_installed_later_is_found(tmp_path):
    family = DotnetFamily(Dotnets(SearchPlaces(extra=(tmp_path,))))
    with pytest.raises(RuntimeUnavailableError, match=r"^dotnet91 needs \.NET 91, which this host"):
        family.launch("dotnet91", tmp_path)
    install(tmp_path / "late", "91.0.0")
    assert family.launch("dotnet91", tmp_path).version_name == "dotnet:91.v1"


def test_dotnet_core_is_too_old():
    with pytest.raises(RuntimeUnavailableError, match="too old to run here: use dotnet10"):
        DotnetFamily(Dotnets(SearchPlaces())).launch("dotnetcore3.1", Path("/"))


def test_it_is_shown_at_aws_s_place_and_a_program_speaks_to_the_runtime_api(tmp_path):
    launch = launch_of(Dotnet(tmp_path, 8, "8.0.20"))
    assert VisiblePath(tmp_path, "/var/lang/bin") in launch.paths
    assert launch.argv == (
        *("/bin/sh", "/var/runtime/bootstrap", "/var/lang/bin/dotnet"),
        "/var/runtime/Alonzo.Runtime.dll",
    )
    assert launch.environment["DOTNET_ROOT"] == "/var/lang/bin"
    assert launch.environment["DOTNET_VERSION"] == "8.0.20"
    assert launch.for_handler("Shop::Shop.Function::Handler") is launch
    program = launch.for_handler("Shop")
    assert (program.link, program.argv) == (Link.HTTP, launch.argv)


def test_a_family_without_programs_starts_every_handler_the_same():
    launch = Launch(("/bin/x",), Link.FRAMED)
    assert launch.for_handler("app.handler") is launch
