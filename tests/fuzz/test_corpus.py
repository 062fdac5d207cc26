"""The fuzzers themselves, for a moment: what has found a fault once, and a few inputs more."""

from collections.abc import Iterator
from random import Random

import pytest

from tests.fuzz import mutation
from tests.fuzz.__main__ import fuzz, main
from tests.fuzz.corpus import corpus_of
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    target = TARGETS[request.param]()
    yield target
    target.close()


def test_kept_inputs_find_nothing_any_more(target: Target) -> None:
    inputs = [*target.seeds(), *corpus_of(target.name)]

    assert [None] * len(inputs) == [target.run(octets) for octets in inputs]


def test_new_inputs_find_nothing(target: Target) -> None:
    random, seeds = Random(1), target.seeds()

    inputs = [target.mutate(random, seeds) for _ in range(20)]

    assert [None] * 20 == [target.run(octets) for octets in inputs]


def test_same_seed_makes_the_same_inputs(target: Target) -> None:
    seeds = target.seeds()

    first = [target.mutate(random, seeds) for random in (Random(5), Random(6))]

    assert first == [target.mutate(random, seeds) for random in (Random(5), Random(6))]


class Fragile(Target):
    """Has one fault: the octet 0x42, wherever it stands."""

    name = "fragile"

    def seeds(self) -> list[bytes]:
        return [b"harmless" * 20]

    def run(self, octets: bytes) -> None:
        if b"\x42" in octets:
            raise RuntimeError("0x42")


def test_fault_is_found_written_and_made_smaller(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    monkeypatch.setattr("tests.fuzz.__main__.FINDINGS", folder)
    monkeypatch.setattr("tests.fuzz.__main__._MOST_FINDINGS", 1)

    tried, faults = fuzz(Fragile(), Random(1), 30)

    assert 1 == faults
    assert tried > 1
    assert [b"\x42"] == [path.read_bytes() for path in folder.iterdir()]


def test_frames_are_cut_and_joined() -> None:
    frames = [b"\x01\0\1\0\0\0\x01x\xce", b"\x08\0\0\0\0\0\0\xce"]

    assert frames == mutation.split_frames(mutation.join_frames(frames))
    assert [*frames, b"rest"] == mutation.split_frames(mutation.join_frames([*frames, b"rest"]))


def test_unknown_target_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "nothing"])

    with pytest.raises(SystemExit):
        main()

    assert "unknown target 'nothing'" in capsys.readouterr().err
