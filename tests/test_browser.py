"""Reports in a real browser: what can be clicked is clicked, and what appears is read.

Needs Chromium and its driver, as Debian's packages chromium and chromium-driver have them. With
``--pictures FOLDER`` every page is photographed, wide and narrow, light and dark.
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import page_models
import pandas as pd
import pytest

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).parent / "vendor"  # axe-core 4.14.1, MPL 2.0
EVIL = "</script><img src=x onerror=document.title='seized'>\u2028"
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
TASKS = ("classification", "regression", "tagging", "tokens", "forecasting")
MORE = ("combined", "learned", "unkept", "other", "other forecasting")
LONG, TURNED = f"long {'x' * 230}", "\u202eturned"  # wide, and what turns the text behind it
WIDE, NARROW = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    from selenium import webdriver

    program, server = shutil.which("chromium"), shutil.which("chromedriver")
    assert program, "install Chromium: apt-get install chromium chromium-driver"
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=server)
    with webdriver.Chrome(options=options, service=service) as made:
        made.set_script_timeout(60)
        yield made


def labelled(folder):
    """Write a table of series with a class, a number and a label a step; names that would act."""
    rng, steps, tables = np.random.default_rng(0), np.arange(30), []
    for i in range(60):
        kind = i % 3
        wave = np.sin(steps / (2 + 2 * kind) + rng.uniform(0, 6)) + rng.normal(0, 0.3, 30)
        name = f"{EVIL} {i}" if i % 4 == 0 else f"series {i}"
        table = {"series": {1: LONG, 2: TURNED}.get(i % 8, name) + f" {i}", "step": steps,
                 "x <b>": wave, "y": rng.normal(size=30),
                 "class": (EVIL, "it's & \"so\"", "plain")[kind],
                 "number": 10.0 * kind + wave.mean()}  # fmt: skip
        tables.append(pd.DataFrame(table))
    frame = pd.concat(tables)
    frame["label"] = np.where(frame["x <b>"] > 0, "up", EVIL)
    frame.to_parquet(folder / "labelled.parquet")
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    names = [f"{EVIL} {i}" if i % 2 else f"meter {i}" for i in range(5)]
    loads = [
        pd.DataFrame({"meter": names[i], "time": hours, "wind": rng.normal(size=200),
                      "heat": np.cos(np.arange(200) / 4),
                      "load": 100 + 10 * np.sin(np.arange(200) / 3.8 + i) + rng.normal(size=200)})
        for i in range(5)
    ]  # fmt: skip
    pd.concat(loads).to_csv(folder / "load.csv", index=False)
    (folder / "text.txt").write_text("to be or not to be, that is\n" * 400)


def recipe(task, folder):
    path = str(folder / "labelled.parquet")
    columns = {"path": path, "series_id": "series", "time": "step", "features": ["x <b>", "y"],
               "split": {"test": 0.4}}  # fmt: skip
    target = {"classification": "class", "regression": "number", "tagging": "label"}
    made = {"task": task, "seed": 0, "data": {**columns, "target": target.get(task)},
            "model": {"units": 6}, "train": {"epochs": 4}}  # fmt: skip
    if task == "tokens":
        data = {"path": str(folder / "text.txt"), "target": "next", "split": {"test": 0.3}}
        return {**made, "task": "tagging", "data": data}
    if task == "forecasting":
        data = {"path": str(folder / "load.csv"), "series_id": "meter", "time": "time",
                "target": "load", "past_covariates": ["wind"], "future_covariates": ["heat"],
                "split": {"test": 48}}  # fmt: skip
        return {**made, "data": data, "model": {"units": 6, "combine_with": "none"},
                "forecast": {"context_length": 24, "horizon": 12, "quantiles": [0.1, 0.5, 0.9]},
                "evaluate": {"season": 24, "backtest": {"windows": 4, "step": 12}}}  # fmt: skip
    if task == "unkept":
        return {**recipe("classification", folder), "evaluate": {"keep_series": False}}
    if task.startswith("other"):
        other = recipe("forecasting" if "forecasting" in task else "classification", folder)
        return {**other, "seed": 1, "model": {**other["model"], "units": 5}}
    if task == "learned":
        combined = recipe("combined", folder)
        return {**combined, "model": {**combined["model"], "departure_from": "learned_theta"}}
    if task == "combined":
        return {"task": "forecasting", "seed": 0, "data": {"dataset": "airline"},
                "model": {"units": 4, "combine_with": "theta", "target_transform": "log"},
                "train": {"epochs": 3, "ensemble": 2}, "evaluate": {"season": 12}}  # fmt: skip
    if task == "classification":
        model = {"cell": "lstm", "units": [6, 4], "bidirectional": True, "patch": 3}
        return {**made, "model": model}
    return made


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    from seqkit import run

    folder = tmp_path_factory.mktemp("data")
    labelled(folder)
    made = {}
    for task in (*TASKS, *MORE):
        result = run(recipe(task, folder), out=folder / "runs", name=task)
        made[task] = Path(result.document["run"])
    return made


@pytest.fixture
def opened(driver, runs):
    """Open a report; in the end the browser must have complained of nothing."""

    def open_(task, size=WIDE, scheme="light"):
        show(driver, runs[task] / "report.html", size, scheme)
        return driver

    yield open_
    assert [entry["message"] for entry in driver.get_log("browser")] == []
    assert driver.title != "seized"


READY = "return document.documentElement.dataset.ready === 'yes'"


def show(driver, path, size=WIDE, scheme="light", ready=READY):
    metrics = {
        "width": size[0],
        "height": size[1],
        "deviceScaleFactor": 1,
        "mobile": size == NARROW,
    }
    media = {"media": "", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    driver.get(path.as_uri())
    wait(driver, ready)


def violations(driver):
    """Return what an automatic accessibility check finds."""
    driver.execute_script((VENDOR / "axe.min.js").read_text("utf-8"))
    found = driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(arguments[0])"
    )["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def wait(driver, script, *arguments, seconds=20):
    """Return what a script returns once that is true."""
    end = time.monotonic() + seconds
    while True:
        value = driver.execute_script(script, *arguments)
        if value:
            return value
        assert time.monotonic() < end, f"{script} {arguments} stays {value}"
        time.sleep(0.05)


def find(driver, selector):
    return driver.find_element("css selector", selector)


def every(driver, selector):
    return driver.find_elements("css selector", selector)


def click(driver, node):
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", node)
    node.click()


def choose(driver, node, value):
    script = """const [node, value] = arguments;
    node.value = value;
    node.dispatchEvent(new Event(node.type === 'search' ? 'input' : 'change', {bubbles: true}));
    return node.value"""
    assert driver.execute_script(script, node, str(value)) == str(value)


def text(driver, selector):
    return driver.execute_script("return document.querySelector(arguments[0]).innerText", selector)


def page_data(driver):
    return json.loads(driver.execute_script("return document.getElementById('data').textContent"))


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("task", TASKS)
def test_a_page_is_whole_and_accessible(opened, runs, request, task, scheme, size):
    driver = opened(task, size, scheme)
    assert (runs[task] / "report.html").stat().st_size < 2_000_000
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert driver.execute_script("return performance.getEntriesByType('resource').length") == 0
    sections = {"scores", "series", "errors", "training", "data-section", "try", "call", "recipe"}
    assert sections <= {node.get_attribute("id") for node in every(driver, "section")
                        if node.is_displayed()}  # fmt: skip
    for canvas in every(driver, ".plot canvas"):
        drawn = """const c = arguments[0], ctx = c.getContext('2d');
        const all = ctx.getImageData(0, 0, c.width, c.height);
        return all.data.some((v) => v !== 0)"""
        assert driver.execute_script(drawn, canvas)
    driver.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    wait(driver, "return document.querySelectorAll('details.numbers table').length > 2")
    assert violations(driver) == []
    if folder := request.config.getoption("--pictures"):
        photograph(driver, Path(folder) / f"{task}-{size[0]}-{scheme}.png", size)


def photograph(driver, path, size):
    driver.execute_script(
        "for (const one of document.querySelectorAll('.numbers')) one.open = false"
    )
    height = driver.execute_script("return document.documentElement.scrollHeight")
    metrics = {"width": size[0], "height": height, "deviceScaleFactor": 1, "mobile": size == NARROW}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    time.sleep(0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(str(path))


@pytest.mark.parametrize("task", TASKS)
def test_series_are_picked_worst_first_and_searched(opened, task):
    driver = opened(task)
    items = page_data(driver)["series"]["items"]
    errors = [item.get("relative", item["error"]) for item in items]
    assert errors == sorted(errors, reverse=True)
    heading = "#series .detail h3"
    ids = [" ".join(item["id"].split()) for item in items]

    def shown():
        return " ".join(text(driver, heading).split())

    assert shown() == ids[0]
    click(driver, find(driver, "#series .row button:nth-child(2)"))
    assert shown() == ids[1]
    click(driver, find(driver, "#series .row button:nth-child(1)"))
    assert shown() == ids[0]
    choose(driver, find(driver, "#series-list"), len(items) - 1)
    assert shown() == ids[-1]
    plain = next((one for one in ids if not one.startswith("<")), ids[-1])
    choose(driver, find(driver, "#series-search"), plain)
    options = [node.text for node in every(driver, "#series-list option")]
    assert options
    assert all(plain in " ".join(one.split()) for one in options)
    assert plain in shown()


def test_text_of_the_data_is_text(opened):
    driver = opened("classification")
    assert not every(driver, "img, [onerror]")
    choose(driver, find(driver, "#series-search"), "onerror")
    assert EVIL.strip() in text(driver, "#series .detail")


def test_signs_that_turn_what_follows_are_seen(opened):
    driver = opened("classification")
    choose(driver, find(driver, "#series-search"), "turned")
    assert "\\u202eturned" in text(driver, "#series .detail h3")
    assert TURNED[0] not in driver.execute_script("return document.body.innerText")


def test_a_name_that_is_long_makes_no_page_wider(opened):
    driver = opened("classification", NARROW)
    choose(driver, find(driver, "#series-search"), "long x")
    assert text(driver, "#series .detail h3").startswith("long x")
    assert text(driver, "#try h3").startswith("long x")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= NARROW[0]


def test_a_run_that_keeps_no_series_says_so(opened):
    driver = opened("unkept")
    assert "evaluate.keep_series" in text(driver, "#series")
    assert "evaluate.keep_series" in text(driver, "#try")
    assert not every(driver, "#series-list, #try canvas")
    assert every(driver, "table.confusion td")
    assert "series 3" not in driver.execute_script("return document.body.innerText")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "pair", [("classification", "other"), ("forecasting", "other forecasting")]
)
def test_a_page_of_several_runs_is_whole_and_accessible(
    driver, runs, request, tmp_path, pair, scheme, size
):
    from seqkit import compare

    path = tmp_path / "compare.html"
    compare([runs[name] for name in pair], output=path, n_draws=100)
    show(driver, path, size, scheme, "return document.readyState === 'complete'")
    assert driver.execute_script("return document.documentElement.scrollWidth") <= size[0]
    assert violations(driver) == []
    assert driver.get_log("browser") == []
    assert driver.title == "2 runs compared"
    assert len(every(driver, "figure svg")) == 4
    if folder := request.config.getoption("--pictures"):
        photograph(driver, Path(folder) / f"compare-{pair[0]}-{size[0]}-{scheme}.png", size)
    media = {"media": "print", "features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    ground = "return getComputedStyle(document.body).backgroundColor"
    assert driver.execute_script(ground) == "rgb(255, 255, 255)"


def test_the_confusion_matrix_opens_its_series(opened):
    driver = opened("classification")
    data = page_data(driver)
    labels, counts = data["confusion"]["labels"], np.array(data["confusion"]["counts"])
    i, j = (int(k) for k in np.argwhere(counts > 0)[-1])
    row = every(driver, "table.confusion tbody tr")[i]
    cell = row.find_elements("css selector", "td")[j]
    assert cell.text == str(counts[i, j])
    click(driver, cell.find_element("css selector", "button"))
    options = every(driver, "#series-list option")
    assert len(options) == counts[i, j]
    places = [int(node.get_attribute("value")) for node in options]
    for place in places:
        item = data["series"]["items"][place]
        assert (item["true"], item["predicted"]) == (labels[i], labels[j])
    lift = next(node for node in every(driver, "#series .picker button") if "All" in node.text)
    click(driver, lift)
    assert len(every(driver, "#series-list option")) == len(data["series"]["items"])


def test_plots_tell_values_and_zoom(opened):
    from selenium.webdriver import ActionChains, Keys

    driver = opened("forecasting")
    data = page_data(driver)
    losses = data["history"]["curves"]["loss"]
    plot = find(driver, "#training .plot")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", plot)
    plot.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    said = text(driver, "#training [aria-live]")
    assert said.startswith("2: training")
    assert float(said.split()[2].rstrip(",")) == pytest.approx(losses[1], rel=1e-4)
    # the pointer reads the last epoch
    over = plot.find_element("css selector", ".u-over")
    width = over.size["width"]
    ActionChains(driver).move_to_element_with_offset(over, width // 2 - 2, 0).perform()
    values = [node.text for node in plot.find_elements("css selector", ".u-value")]
    assert values[0] == str(len(losses))
    assert float(values[1]) == pytest.approx(losses[-1], rel=1e-4)
    # zoom by dragging, by the buttons and by keys; the table has the numbers
    ticks = "const c = arguments[0].querySelector('canvas'); return c.toDataURL()"
    whole = driver.execute_script(ticks, plot)
    ActionChains(driver).move_to_element(over).click_and_hold().move_by_offset(
        width // 4, 0).release().perform()  # fmt: skip
    time.sleep(0.2)
    assert driver.execute_script(ticks, plot) != whole
    click(driver, find(driver, "#training .tools button:nth-child(3)"))
    time.sleep(0.2)
    assert driver.execute_script(ticks, plot) == whole
    plot.send_keys("+")
    time.sleep(0.2)
    assert driver.execute_script(ticks, plot) != whole
    plot.send_keys("0")
    click(driver, find(driver, "#training details.numbers summary"))
    rows = wait(driver, """return [...document.querySelectorAll('#training .numbers tbody tr')]
        .map((row) => row.innerText.split('\\t'))""")  # fmt: skip
    assert [float(row[1]) for row in rows[: len(losses)]] == pytest.approx(losses, rel=1e-4)


def test_the_training_of_every_network_can_be_picked(opened):
    driver = opened("combined")
    data = page_data(driver)["history"]
    networks = [data, *data["others"]]
    options = every(driver, "#training-network option")
    assert [node.text for node in options] == ["1 of 2", "2 of 2"]
    assert len(networks) == 2
    for option, network in zip(options, networks, strict=True):
        click(driver, option)
        click(driver, find(driver, "#training details.numbers summary"))
        rows = wait(driver, """return [...document.querySelectorAll('#training .numbers tbody tr')]
            .map((row) => row.innerText.split('\\t'))""")  # fmt: skip
        losses = network["curves"]["loss"]
        assert [float(row[1]) for row in rows[: len(losses)]] == pytest.approx(losses, rel=1e-4)
        click(driver, find(driver, "#training details.numbers summary"))


def test_forecasts_of_every_window_with_baselines(opened):
    driver = opened("forecasting")
    data = page_data(driver)["series"]
    assert data["levels"] == ["q0.1", "q0.5", "q0.9"]
    names = lambda: text(driver, "#series .u-legend")  # noqa: E731
    assert "80 % interval" in names()
    assert "seasonal naive" in names()
    for box in every(driver, "#series fieldset input"):
        if not box.is_selected():
            click(driver, box)
    assert all(name in names() for name in ("truth", "naive", "drift", "forecast"))
    select = find(driver, "#series .controls select")
    assert len(select.find_elements("css selector", "option")) == 1 + len(
        data["items"][0]["windows"]
    )
    choose(driver, select, 2)
    click(driver, find(driver, "#series details.numbers summary"))
    table = wait(driver, "return document.querySelector('#series .numbers table')")
    cells = "return [...arguments[0].rows].map((row) => [...row.cells].map((c) => c.textContent))"
    head, *rows = driver.execute_script(cells, table)
    told = [row[head.index("forecast")] for row in rows]
    wanted = data["items"][0]["windows"][2]["targets"][0]["forecast"]
    assert [float(v) for v in told if v != "–"] == pytest.approx(wanted, rel=1e-4)
    metric = find(driver, "#step-metric")
    choose(driver, metric, "mase")
    assert "MASE by step" in text(driver, "#errors figcaption")


def test_themes_copying_and_print(opened):
    driver = opened("regression", scheme="light")
    ground = "return getComputedStyle(document.body).backgroundColor"
    light = driver.execute_script(ground)
    button = find(driver, "#theme")
    button.click()
    assert (button.text, driver.execute_script(ground)) == ("Theme: light", light)
    button.click()
    assert button.text == "Theme: dark"
    assert driver.execute_script(ground) != light
    button.click()
    copy = find(driver, "#call button")
    click(driver, copy)
    wait(driver, "return document.querySelector('#call button').innerText === 'Copied'")
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    hidden = [one for one in ("nav", ".tools", ".picker") if not find(driver, one).is_displayed()]
    assert hidden == ["nav", ".tools", ".picker"]
    assert find(driver, "#scores table").is_displayed()


# --- the model in the page --------------------------------------------------------------------


def test_every_network_answers_as_in_python(opened):
    driver = opened("classification")
    script = """const [cases] = arguments;
    return cases.map((one) => {
      const inputs = Object.fromEntries(
        Object.entries(one.inputs).map(([name, value]) => [name, Model.array(value)]));
      const out = Model.answer(one.page, inputs), wanted = Model.array(one.answer).data;
      return [one.name, out.data.length - wanted.length, Math.max(...Array.from(out.data, (v, k) =>
        Math.abs(v - wanted[k]) / Math.max(1, Math.abs(wanted[k]))))];
    })"""
    found = driver.execute_script(script, page_models.cases())
    assert len(found) > 50
    assert {name: apart for name, more, apart in found if more or not apart < 1e-5} == {}


TRY = "#try input[type='number']"


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_an_input_that_is_changed_changes_the_answer(opened, runs, task):
    from seqkit import load_run

    driver = opened(task)
    data = page_data(driver)
    kept = data["series"]["kept"][0]["values"]
    script = "return Array.from(Model.array(arguments[0]).data)"
    x = np.array(driver.execute_script(script, kept)).reshape(1, *kept["shape"])
    estimator = load_run(runs[task])

    def asked(x):
        return estimator.predict_proba(x)[0] if task == "classification" else estimator.predict(x)

    def answered():
        if task == "regression":
            rows = driver.execute_script(
                "return document.querySelector('#try .scroll tbody tr').innerText"
            )
            return [float(rows.split("\t")[-1])]
        names = [" ".join(node.text.split()).removesuffix(" (true)")
                 for node in every(driver, "#try .bar .name")]  # fmt: skip
        values = [float(node.text) for node in every(driver, "#try .bar .value")]
        found = dict(zip(names, values, strict=True))
        return [found[" ".join(label.split())] for label in data["series"]["classes"]]

    tolerance = {"abs": 6e-4} if task == "classification" else {"rel": 1e-4}
    assert answered() == pytest.approx(asked(x), **tolerance)
    step, value = every(driver, TRY)
    choose(driver, step, 12)
    choose(driver, value, 4.5)
    x[0, 11, 0] = 4.5
    assert answered() == pytest.approx(asked(x), **tolerance)
    click(driver, every(driver, "#try fieldset input")[1])  # the second feature by its mean
    x[0, :, 1] = x[0, :, 1].mean()
    assert answered() == pytest.approx(asked(x), **tolerance)
    click(driver, find(driver, "#try .controls button"))  # as it was, the feature still dropped
    x[0, 11, 0] = driver.execute_script(script, kept)[11 * kept["shape"][1]]
    assert answered() == pytest.approx(asked(x), **tolerance)


def test_a_point_is_dragged_and_gates_are_seen(opened):
    from selenium.webdriver import ActionChains

    driver = opened("classification")
    over = find(driver, "#try .u-over")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", over)
    heat = "return document.querySelector('#try canvas.heat').toDataURL()"
    before, gates = text(driver, "#try .bars"), driver.execute_script(heat)
    ActionChains(driver).move_to_element(over).click_and_hold().move_by_offset(
        0, -over.size["height"] // 3).release().perform()  # fmt: skip
    assert text(driver, "#try .bars") != before
    assert driver.execute_script(heat) != gates
    layers, kinds = every(driver, "#try label select")[-2:]
    options = [node.text for node in layers.find_elements("css selector", "option")]
    assert options == [f"recurrent {n}, {way}" for n in (1, 2) for way in ("forward", "backward")]
    offered = [
        node.get_attribute("value") for node in kinds.find_elements("css selector", "option")
    ]
    assert set(offered) == {"g", "i", "f", "o", "h", "c"}
    for name in offered:
        choose(driver, kinds, name)
        assert "6 units" in text(driver, "#try .heat + p")
    choose(driver, kinds, "f")
    assert "above .9" in text(driver, "#try .heat + p")


@pytest.mark.parametrize("task", ["forecasting", "combined", "learned"])
def test_the_forecast_of_a_page_is_that_of_the_run(opened, task):
    driver = opened(task)
    script = """const data = JSON.parse(document.getElementById('data').textContent);
    let most = 0;
    data.series.items.forEach((item, place) => item.windows.forEach((window) => {
      const [inputs] = Playground.windowInput(data.model, data.series.kept[place], window.row);
      const out = Model.answer(data.model, inputs), levels = data.series.levels;
      (levels.length ? levels : ['forecast']).forEach((level, q, all) => {
        window.targets[0][level].forEach((v, h) => {
          most = Math.max(most, Math.abs(out.data[h * all.length + q] - v) / Math.abs(v));
        });
      });
    }));
    return most"""
    assert driver.execute_script(script) < 1e-5  # the page has six digits of the run's
    before = text(driver, "#try div[aria-live]")
    choose(driver, every(driver, TRY)[1], 500)
    assert text(driver, "#try div[aria-live]") != before


def test_tokens_are_changed(opened):
    driver = opened("tokens")
    select = every(driver, "#try .controls select")[0]
    tokens = [node.text for node in select.find_elements("css selector", "option")]
    assert tokens[0] == "(unknown)"
    assert "t" in tokens
    choose(driver, find(driver, TRY), 3)
    before = text(driver, "#try .bars")
    for value in range(1, 5):
        choose(driver, select, value)
    assert text(driver, "#try .bars") != before


def test_ten_thousand_series_stay_usable(driver, tmp_path, runs):
    from seqkit.data.sequences import Sequences
    from seqkit.report.html import write_report
    from seqkit.report.samples import described_data, series_sample

    n, rng = 10_000, np.random.default_rng(0)
    folder = tmp_path / "many"
    shutil.copytree(runs["classification"], folder)
    offsets = np.arange(0, 30 * n + 1, 30)
    y = rng.integers(0, 3, n).astype(str)
    part = Sequences(rng.normal(size=(30 * n, 2)), offsets, ("x", "y"), y=y)
    p = rng.dirichlet(np.ones(3), n)
    columns = {f"p_{k}": p[:, k] for k in range(3)}
    frame = pd.DataFrame(
        {"series": part.ids, "true": y, "predicted": p.argmax(1).astype(str), **columns}
    )
    frame.to_parquet(folder / "predictions.parquet")
    kept = series_sample(frame, part, list(part), part.features)
    kept |= {"part": "test", "data": described_data({"test": part}, {"test": y})}
    (folder / "series.json").write_text(json.dumps(kept))
    path = write_report(folder)
    assert path.stat().st_size < 2_000_000
    show(driver, path)
    assert "200 of 10000 series" in text(driver, "#series-count")
    assert len(every(driver, "#series-list option")) == 200
    started = time.monotonic()
    choose(driver, find(driver, "#series-list"), 150)
    assert time.monotonic() - started < 10
    assert driver.get_log("browser") == []
