"""Scripts of `ScriptedLLM` in YAML: what they say, and what they are told."""

# ruff: noqa: E501 - a message is one line

import re
import textwrap

import pytest

import live_crew.testing
from live_crew.errors import ConfigError
from live_crew.testing import ProviderError, ScriptedLLM, ToolCall

SCHEMA = [{"type": "function", "function": {"name": "search", "parameters": {}}}]


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        (tmp_path / "answers.yaml").write_text(text, encoding="utf-8")
        return "answers.yaml"

    return write


def test_a_script_with_everything_in_it(write):
    path = write(
        """
        delay: 0.001
        rules:
          - {when: You are Critic, say: [too long, {say: {fine: true}, delay: 0.001}]}
          - {when: (?i)weather, tool: {name: search, args: {query: weather}}, delay: 0.001}
          - {when: two, tool: [search, {name: search}]}
          - {when: limit, fail: 429}
          - {when: slow, fail: timeout}
          - {when: gone, fail: connection}
          - {when: "off", fail: "503"}
          - {when: dear, say: hello, usage: {prompt_tokens: 100, completion_tokens: 7}}
        say: [first, second]
        default: last
        """
    )
    llm = ScriptedLLM.from_file(path)
    critic = "You are Critic"
    assert [llm.call(critic), llm.call(critic)] == ["too long", '{"fine": true}']
    (call,) = llm.call("the Weather", tools=SCHEMA)
    assert call["function"] == {"name": "search", "arguments": '{"query": "weather"}'}
    assert len(llm.call("two", tools=SCHEMA)) == 2
    for text, error in [
        ("limit", ProviderError),
        ("slow", TimeoutError),
        ("gone", ConnectionError),
        ("off", ProviderError),
    ]:
        with pytest.raises(error):
            llm.call(text)
    before = llm.get_token_usage_summary()
    assert llm.call("dear") == "hello"
    usage = llm.get_token_usage_summary().delta_since(before)
    assert (usage.prompt_tokens, usage.completion_tokens) == (100, 7)
    assert [llm.call("x") for _ in range(4)] == ["first", "second", "last", "last"]
    assert llm.calls[2].answer == (ToolCall("search", {"query": "weather"}),)
    llm.assert_complete()


def test_delays_add_up(write):
    from live_crew.testing._answers import read_answers

    script = read_answers(
        write("delay: 1\nrules: [{when: a, delay: 2, say: [x, {say: y, delay: 3}]}]")
    )
    assert script["delay"] == 1
    assert [one.delay for one in script["rules"][0][1]] == [2, 5]


@pytest.mark.parametrize(
    ("text", "said"),
    [("default: hello", "hello"), ("say: hello", "hello"), ("say: {say: {a: 1}}", '{"a": 1}')],
)
def test_a_script_of_one_line(write, text, said):
    assert ScriptedLLM.from_file(write(text)).call("x") == said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1: nothing is no mapping; write `key: value` lines"),
        ("hello", "1:1: `hello` is no mapping; write `key: value` lines"),
        ("delay: 1", "1:1: holds no answers; add `say: …`, `rules: …` or `default: …`"),
        ("defualt: x\nsay: y", "1:1: defualt: is no setting; did you mean `default`?"),
        ("say: y\ndelay: soon", "2:8: delay: `soon` is no time; use seconds such as 0.2"),
        ("say: y\ndelay: -1", "2:8: delay: -1 is no time; use seconds such as 0.2"),
        ("say: 5", '1:6: say: `5` is read by YAML as a number; put it in quotes: "5"'),
        ("say: [a, yes]", '1:10: say[1]: `yes` is read by YAML as true; put it in quotes: "yes"'),
        ("say:", "1:5: say: is empty; give it a value or remove the line"),
        ("say: ['']", "1:7: say[0]: is empty; give a text"),
        ("say: [[a]]", "1:7: say[0]: a list is no text; give a text"),
        ("default: {sya: a}", "1:11: default.sya: is no setting; did you mean `say`?"),
        ("say: [{delay: 1}]", "1:7: say[0]: says nothing; add `say: …`, `tool: …` or `fail: …`"),
        ("rules: {a: b}", "1:8: rules: a mapping is no list; write `- when: …` lines"),
        ("rules: [a]", "1:9: rules[0]: `a` is no mapping; write `key: value` lines"),
        ("rules: [{say: a}]", "1:9: rules[0]: `when` is missing; add `when: …` with a regular expression"),
        ("rules: [{when: a}]", "1:9: rules[0]: says nothing; add `say: …`, `tool: …` or `fail: …`"),
        ("rules:\n  - {when: (, say: a}", "2:12: rules[0].when: `(` is no regular expression: missing ), unterminated subpattern at position 0; correct it"),
        ("rules: [{when: 5, say: a}]", '1:16: rules[0].when: `5` is read by YAML as a number; put it in quotes: "5"'),
        ("rules: [{wehn: a, say: a}]", "1:10: rules[0].wehn: is no setting; did you mean `when`?"),
        ("rules: [{when: a, say: b, fail: 429}]", "1:33: rules[0].fail: is a second answer beside `say`; remove one"),
        ("rules: [{when: a, say: [b], fail: 429}]", "1:35: rules[0].fail: goes with one answer, and `say` is a list; move it in there"),
        ("say: {fail: 200}", "1:13: say.fail: 200 is no failure; use a status such as 429, `timeout` or `connection`"),
        ("say: {fail: tiemout}", "1:13: say.fail: `tiemout` is no failure; use a status such as 429, `timeout` or `connection`"),
        ("say: {fail: [1]}", "1:13: say.fail: a list is no failure; use a status such as 429, `timeout` or `connection`"),
        ("say: {tool: {nme: a}}", "1:14: say.tool.nme: is no setting; did you mean `name`?"),
        ("say: {tool: {args: {}}}", "1:13: say.tool: `name` is missing; add `name: …` of a tool"),
        ("say: {tool: {name: a, args: [1]}}", "1:29: say.tool.args: a list is no mapping; write `{name: value}`"),
        ("say: {say: a, usage: {prompt_tokens: -1}}", "1:38: say.usage.prompt_tokens: -1 is no number of tokens; use 0 or more"),
        ("say: {say: a, usage: {tokens: 1}}", "1:23: say.usage.tokens: is no setting; use `completion_tokens` or `prompt_tokens`"),
        ("say: {say: a, say: b}", "1:15: say.say: is there twice, first in line 1; remove one"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place(write, text, message):
    with pytest.raises(ConfigError) as wrong:
        ScriptedLLM.from_file(write(text))
    assert str(wrong.value).splitlines()[0] == f"answers.yaml:{message}"


def test_all_mistakes_are_told_at_once(write):
    with pytest.raises(ConfigError) as wrong:
        ScriptedLLM.from_file(write("say: 5\ndelay: x\nrules: [{}]\nfoo: 1"))
    assert [one.line for one in wrong.value.problems] == [1, 2, 3, 3, 4]


def test_a_file_that_is_not_there(write):
    write("say: x")
    with pytest.raises(
        ConfigError, match=r"anwsers.yaml: is not there; did you mean `answers.yaml`"
    ):
        ScriptedLLM.from_file("anwsers.yaml")


def test_the_examples_of_the_documentation(write):
    (yaml,) = re.findall("```yaml\n(.*?)```", ScriptedLLM.from_file.__doc__, re.DOTALL)
    assert ScriptedLLM.from_file(write(yaml)).call("You are Critic") == "too long"
    (code,) = re.findall("```python\n(.*?)```", ScriptedLLM.__doc__, re.DOTALL)
    exec(textwrap.dedent(code), vars(live_crew.testing) | {"ScriptedLLM": ScriptedLLM})  # noqa: S102
