"""The diff of two snapshots against a slow model: nothing is missed, nothing is invented."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nf.config.diff import ObjectKind, diff, objects
from nf.config.snapshot import (
    AddressPool,
    AddressRange,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    Interface,
    LocalUser,
    System,
    WsgService,
)

NAMES = st.sampled_from(["a", "b", "c"])


def unique(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=3, unique_by=lambda item: item.name).map(tuple)


def contexts() -> st.SearchStrategy[Context]:
    """Contexts whose objects take few values, so that two drawn snapshots often share some."""
    name = NAMES
    return st.builds(
        Context,
        name=name,
        index=st.integers(0, 2),
        interfaces=unique(st.builds(Interface, NAMES, st.booleans())),
        pools=unique(
            st.builds(
                AddressPool,
                st.just("x"),
                NAMES,
                st.just(4),
                st.just("10.0.0.0/8"),
                st.just((AddressRange("10.0.0.1", "10.0.0.2"),)),
                st.sampled_from(["dynamic", "static"]),
            )
        ),
        templates=unique(st.builds(CryptoTemplate, st.just("x"), NAMES, max_childsa=st.integers(1, 3))),
        services=unique(st.builds(WsgService, st.just("x"), NAMES, st.just("remote-access"))),
        name_servers=st.sampled_from([(), ("192.0.2.53",)]),
    )


SNAPSHOTS = st.builds(
    GatewaySnapshot,
    revision=st.integers(0, 9),
    system=st.builds(
        System, hostname=NAMES, users=unique(st.builds(LocalUser, NAMES, st.sampled_from([None, "$6$x"])))
    ),
    contexts=unique(contexts()),
)


@given(SNAPSHOTS, SNAPSHOTS)
def test_applying_the_delta_gives_the_new_objects(old: GatewaySnapshot, new: GatewaySnapshot) -> None:
    before, after = objects(old), objects(new)
    for kind, delta in diff(old, new).items():
        rebuilt = {name: value for name, value in before[kind].items() if name not in delta.removed}
        for name, (was, now) in delta.changed.items():
            assert rebuilt[name] == was
            assert was != now
            rebuilt[name] = now
        assert not set(rebuilt) & set(delta.added)
        rebuilt.update(delta.added)
        assert rebuilt == after[kind]
        assert bool(delta) == (before[kind] != after[kind])


@given(SNAPSHOTS, SNAPSHOTS)
def test_backwards_is_the_mirror(old: GatewaySnapshot, new: GatewaySnapshot) -> None:
    there, back = diff(old, new), diff(new, old)
    for kind in ObjectKind:
        assert there[kind].added == back[kind].removed
        assert there[kind].removed == back[kind].added
        assert {n: (b, a) for n, (a, b) in there[kind].changed.items()} == back[kind].changed


@given(SNAPSHOTS)
def test_nothing_differs_from_itself_but_the_revision(snapshot: GatewaySnapshot) -> None:
    assert not any(diff(snapshot, replace(snapshot, revision=snapshot.revision + 1)).values())


def test_a_change_inside_a_context_is_not_one_of_the_context() -> None:
    template = CryptoTemplate("ran", "t")
    old = GatewaySnapshot(contexts=(Context("ran", 0, templates=(template,)),))
    new = GatewaySnapshot(contexts=(Context("ran", 0, templates=(replace(template, max_childsa=5),)),))
    delta = diff(old, new)
    assert not delta[ObjectKind.CONTEXT]
    assert delta[ObjectKind.TEMPLATE].changed == {("ran", "t"): (template, new.contexts[0].templates[0])}
