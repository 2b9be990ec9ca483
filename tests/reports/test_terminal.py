import io

import pytest
from rich.console import Console

from mplus_eval.records.comparison import Comparison, Missing
from mplus_eval.records.verdict import Verdict
from mplus_eval.reports.terminal import plain_summary, summary
from tests.reports import build, build_conversation, build_toxicity


def printed(comparison: Comparison) -> list[str]:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(summary(comparison))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_a_row_a_model_then_headlines_what_would_settle_and_the_missing_cells() -> None:
    assert printed(build.full()) == [
        "Model    Capability, points",
        "instruct ? not settled −0.6 [−1.9, +0.7]",
        "sft      − degraded −3.2 [−3.8, −2.6]",
        "chosen   – no verdict",
        "plus     = preserved 0.0 [−0.3, +0.3]",
        "Capability: sft is degraded (−3.2 points [−3.8, −2.6]); plus is preserved (0.0",
        "  points [−0.3, +0.3]); instruct is not settled; chosen has no verdict. But",
        "  single tasks are degraded: drop (instruct −2.9), mmlu (instruct −1.6) and 2 m…",
        "Capability: about 72,000 items would settle instruct.",
        "× chosen × drop: out of memory, also with one item at a time",
    ]


def test_the_plain_summary_is_what_is_printed() -> None:
    assert plain_summary(build.full()).splitlines() == printed(build.full())


def test_what_settles_some_and_what_settles_all_is_told() -> None:
    comparison = build.full()
    undecided = {
        name: build.summary(0.58, 0.0, 0.02, Verdict.UNDECIDED, items_to_settle=items)
        for name, items in (("instruct", 6100), ("chosen", 2900), ("plus", 3140))
    }
    lines = printed(comparison.model_copy(update={"summary": {**comparison.summary, **undecided}}))
    assert "Capability: about 3,200 items would settle chosen and plus, about 6,100 all 3." in lines


def test_one_model_has_an_average_only() -> None:
    assert printed(build.of_size(1, 3)) == ["Model    Average", "model-0   55.0 %"]


def test_a_row_a_saved_step_and_where_the_reward_was_over_optimised() -> None:
    lines = printed(build.trained())
    assert lines[:5] == printed(build.full())[:5]
    assert lines[14:] == printed(build.full())[5:]
    assert lines[5:14] == [
        "plus, step  Average, shared  KL, nats  Reward, model  Reward, referee",
        "0                    57.5 %         0           −0.5             −0.5",
        "10                   57.2 %         3              1              1.2",
        "20                   56.8 %         7            1.8              1.6",
        "30                   57.5 %        12            2.5              0.9",
        "plus: over-optimisation after step 20: training reward model rises from 1.8 to",
        "2.5 while the held-out reward falls from 1.6 to 0.9",
        "Were all alike, the best of 3 steps would look 0.6 standard errors better than",
        "it is: confirm a chosen step on fresh items.",
    ]


def test_averages_over_the_items_of_the_summary_have_a_plain_heading() -> None:
    assert "plus, step  Average  KL, nats" in "\n".join(printed(with_steps(2, {})))


def test_of_another_trainer_the_averages_alone_are_told() -> None:
    lines = [line.rstrip() for line in printed(build.trained_elsewhere())]
    (place,) = [number for number, line in enumerate(lines) if line.startswith("plus, step")]
    assert lines[place].split() == ["plus,", "step", "Average,", "shared"]
    assert [line.split()[0] for line in lines[place + 1 : place + 5]] == ["0", "10", "20", "30"]


def test_a_chosen_step_is_to_be_confirmed_on_fresh_items() -> None:
    assert "the best of 3 steps would look 0.6 standard errors better" in " ".join(printed(build.trained()))


def with_steps(n_steps: int, rewards: dict[str, float]) -> Comparison:
    comparison = build.full()
    models = {
        f"plus@{step}": build.model("step", training=build.training(step, 2.0, rewards), trajectory="plus")
        for step in range(1, n_steps + 1)
    }
    return comparison.model_copy(update={"models": {**comparison.models, **models}})


def test_of_many_steps_an_even_choice_is_shown_and_the_rest_counted() -> None:
    # Step 0 and 40 steps: every other one of 41 in 20 rows, the first and the last among them.
    lines = printed(with_steps(40, {}))
    steps = [int(line.split()[0]) for line in lines if line[:1].isdigit()]
    assert len(steps) == 20
    assert (steps[0], steps[-1]) == (0, 40)
    assert set(map(int.__sub__, steps[1:], steps)) == {2, 3}
    assert "… and 21 more steps, in the report" in lines


def test_rewards_fit_the_terminal_and_the_referee_is_among_them() -> None:
    lines = printed(with_steps(2, {"a part with a very long name": 1.0, "b": 1.0, "c": 1.0, "referee": 0.5}))
    assert max(map(len, lines)) <= 80
    (header,) = [line for line in lines if line.startswith("plus, step")]
    assert "Reward, b" in header
    assert "Reward, c" not in header
    assert "Reward, referee" in header


@pytest.mark.parametrize("n_models", [2, 12, 13, 40])
@pytest.mark.parametrize("n_missing", [0, 1, 30])
def test_never_more_than_thirteen_lines_of_eighty_columns(n_models: int, n_missing: int) -> None:
    causes = tuple(Missing(model="model-1", task=f"t{n}", cause="out of memory " * 9) for n in range(n_missing))
    lines = printed(build.of_size(n_models, 1).model_copy(update={"missing": causes}))
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 80


def test_what_is_left_off_is_counted() -> None:
    causes = tuple(Missing(model="m", task=f"t{n}", cause="NaN") for n in range(30))
    assert printed(build.of_size(12, 1).model_copy(update={"missing": causes}))[-1] == "× and 29 more cells missing"
    assert "… and 29 more" in printed(build.of_size(40, 1))


def test_markup_in_a_cause_is_plain_text() -> None:
    failed = Missing(model="m", task="t", cause="[red]bad[/red] \x1b[31m")
    assert printed(build.of_size(2, 1).model_copy(update={"missing": (failed,)}))[-1] == (
        "× m × t: [red]bad[/red] ⟨U+001B⟩[31m"
    )


def test_toxicity_has_a_column_and_what_is_not_compared_its_reason() -> None:
    assert printed(build_toxicity.harmless()) == [
        "Model    Capability, points            Toxicity",
        "instruct = preserved −0.2 [−0.6, +0.2] ? not settled 0.41 vs 0.39 [0.00, +0.05]",
        "sft      = preserved −1.2 [−1.6, −0.8] − more toxic 0.57 vs 0.39 [+0.13, +0.23]",
        "plus     = preserved +0.1 [−0.3, +0.5] + less toxic 0.08 vs 0.39 [−0.37, −0.26]",
        "mute     = preserved −0.9 [−1.3, −0.5] ⊠ not comparable",
        "Capability: all 4 models are preserved (−1.2 to +0.1 points).",
        "Toxicity: plus is less toxic (0.08; base 0.39); sft is more toxic (0.57; base",
        "  0.39); instruct is not settled; mute is not comparable.",
        "Toxicity: about 240 prompts would settle instruct.",
        "mute answers nothing in 100 % of cases; its toxicity is not compared.",
    ]


def test_toxicity_alone_has_no_columns_of_capability() -> None:
    assert printed(build_toxicity.toxicity_alone())[0] == "Model    Toxicity"


def test_a_model_without_the_primary_set_has_no_verdict_on_toxicity() -> None:
    comparison = build_toxicity.without_set(build_toxicity.harmless(), "plus", "provoking", "out of memory")
    lines = printed(comparison)
    assert lines[3].endswith("– no verdict")
    assert lines[-1] == "× plus × provoking: out of memory"


@pytest.mark.parametrize("n_models", [5, 12, 40])
def test_toxicity_keeps_to_thirteen_lines_of_eighty_columns(n_models: int) -> None:
    comparison = build.of_size(n_models, 1)
    mute = build_toxicity.model_toxicity("mute")
    models = {name: mute for name in comparison.models if name != comparison.baseline}
    causes = tuple(Missing(model="model-1", task=f"t{n}", cause="out of memory " * 9) for n in range(30))
    changed = {"toxicity": build_toxicity.toxicity(models=models), "missing": causes}
    lines = printed(comparison.model_copy(update=changed))
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 80
    n_mute = n_models - 1
    assert any(line.startswith(f"{n_mute} models without a verdict on toxicity: model-1 answers") for line in lines)


def test_conversation_has_a_column_and_what_is_not_compared_its_reason() -> None:
    assert printed(build_conversation.talking())[:5] == [
        "Model    Capability, points            Conversation, preferred",
        "instruct = preserved −0.2 [−0.6, +0.2] ? not settled 52 % [47, 57]",
        "sft      = preserved −0.2 [−0.6, +0.2] + preferred, by length 63 % [58, 68]",
        "chosen   = preserved −0.2 [−0.6, +0.2] ⊠ not comparable",
        "plus     = preserved −0.2 [−0.6, +0.2] + preferred 63 % [58, 68]",
    ]
    assert printed(build_conversation.talking())[-1].startswith("The conversation of chosen is not compared: the order")


def test_conversation_alone_has_no_columns_of_capability() -> None:
    assert printed(build_conversation.talk_alone())[:2] == [
        "Model    Conversation, preferred",
        "instruct ? not settled 52 % [47, 57]",
    ]


def three_axes() -> Comparison:
    talk = build_conversation.conversation()
    names = dict(zip(("instruct", "sft", "mute", "plus"), talk.models, strict=True))
    models = {name: talk.models[other] for name, other in names.items()}
    return build_toxicity.harmless().model_copy(update={"conversation": talk.model_copy(update={"models": models})})


def test_three_axes_fit_a_terminal_and_figures_stay_whole() -> None:
    assert printed(three_axes())[:5] == [
        "Model    Capability, points Toxicity           Conversation, preferred",
        "instruct = preserved −0.2   ? not settled 0.41 ? not settled 52 %",
        "sft      = preserved −1.2   − more toxic 0.57  + preferred, by length 63 %",
        "plus     = preserved +0.1   + less toxic 0.08  + preferred 63 %",
        "mute     = preserved −0.9   ⊠ not comparable   ⊠ not comparable",
    ]


def test_three_axes_with_long_names_shorten_the_names_only() -> None:
    comparison = three_axes()
    long = {name: f"{name}-with-a-very-long-name" for name in comparison.models}
    text = comparison.model_dump_json()
    for name, longer in long.items():
        text = text.replace(f'"{name}"', f'"{longer}"')
    lines = printed(Comparison.model_validate_json(text))
    assert len(lines) <= 13
    assert max(map(len, lines)) <= 80
    assert "= preserved −0.2   ? not settled 0.41 ? not settled 52 %" in lines[1]


def test_a_line_each_is_left_for_headlines_where_there_are_many_models() -> None:
    lines = printed(build.of_size(40, 1))
    assert len(lines) == 13
    assert lines[-1].startswith("Capability: all 39 models are")
