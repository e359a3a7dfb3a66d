"""The manifest of a package for people: what it was made for, what it consists of, what was measured; its files."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from pydantic import ValidationError

from shared.contracts.candles import interval_text
from shared.contracts.packages import Manifest, PackageDetails
from streamlit_ui import formats
from streamlit_ui.session import t
from streamlit_ui.states import badge, empty
from streamlit_ui.tables import dataframe


def read(package: PackageDetails) -> Manifest | None:
    """Give the manifest; None before the worker has completed one that was given in part."""
    try:
        return Manifest.model_validate(package.manifest)
    except ValidationError:
        return None


def draw(package: PackageDetails) -> None:
    """Draw the manifest."""
    manifest = read(package)
    if manifest is None:
        empty(t("packages.manifest_partial"), icon=":material/policy:")
    else:
        if manifest.description:
            st.markdown(f"> {formats.plain(manifest.description)}")
        left, right = st.columns(2, gap="medium")
        with left:
            _draw_market(manifest)
            _draw_policy(manifest)
        with right:
            _draw_forecaster(manifest)
            _draw_probe(package, manifest)
        _draw_inferred(manifest.inferred)
        _draw_report(manifest.report)
    with st.expander(t("packages.raw"), icon=":material/data_object:"):
        text = json.dumps(package.manifest, indent=2)
        st.download_button(
            t("packages.save_manifest"), text, file_name=f"{package.id}_manifest.json", mime="application/json",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.json(package.manifest, expanded=1)


def draw_files(package: PackageDetails) -> None:
    """Draw both files: how large, their digests, who brought them and when."""
    told = read(package)
    digests = told.sha256 if told else None
    files = (
        ("forecast_model.pt", package.forecast_rel_path, package.forecast_bytes, package.forecast_sha256,
         digests.forecast_model if digests else None),
        ("ppo_policy.zip", package.ppo_rel_path, package.ppo_bytes, package.ppo_sha256,
         digests.ppo_model if digests else None),
    )  # fmt: skip
    for name, path, count, digest, wanted in files:
        with st.container(border=True):
            st.markdown(f"**{name}** · {formats.size(count)} {_agreement(digest, wanted)}")
            st.caption(formats.plain(path))
            st.code(digest or t("packages.no_digest"), language=None, wrap_lines=True)
    st.caption(t("packages.digest_help"))
    with st.container(width=560):
        facts(
            {
                t("packages.uploaded_by"): t("packages.comes_with")
                if package.is_builtin
                else formats.code(package.uploaded_by),
                t("packages.uploaded_at"): formats.moment(package.created_at),
                t("packages.validated_at"): formats.moment(package.validated_at),
                t("packages.warmed_at"): formats.moment(package.warmup_completed_at),
                t("packages.changed_at"): formats.moment(package.updated_at),
            }
        )


def facts(rows: Mapping[str, str]) -> None:
    """Draw names with their values, one a line."""
    st.table(dict(rows), border="horizontal")


def probe_words(probe: Mapping[str, Any] | None) -> str:
    """Say whether the package still answers as its trainer saw it."""
    if not probe:
        return badge("off", t("packages.probe_none"))
    if not probe.get("passed"):
        return badge("bad", t("packages.probe_failed"))
    errors = [probe.get(name) for name in ("forecast_error", "action_error")]
    worst = max((float(one) for one in errors if one is not None), default=0.0)
    told = t("packages.probe_off", worst=f"{worst:.1e}", tolerance=f"{float(probe.get('tolerance') or 0):.0e}")
    return f"{badge('good', t('packages.probe_passed'))} {told}"


def _agreement(digest: str | None, wanted: str | None) -> str:
    if digest is None or wanted is None:
        return ""
    if digest == wanted:
        return badge("good", t("packages.digest_same"))
    return badge("bad", t("packages.digest_other"))


def _draw_market(manifest: Manifest) -> None:
    market = manifest.market
    st.subheader(t("packages.market"))
    facts(
        {
            t("packages.symbol"): formats.plain(market.symbol or t("packages.any_symbol")),
            t("packages.interval"): interval_text(market.interval_seconds),
            t("packages.warmup_bars"): t(
                "packages.bars_span", bars=formats.number(market.warmup_bars),
                span=formats.duration(market.warmup_bars * market.interval_seconds),
            ),
            t("packages.source"): t(f"packages.source_{market.source}"),
        }
    )  # fmt: skip


def _draw_forecaster(manifest: Manifest) -> None:
    made, seconds = manifest.forecast, manifest.market.interval_seconds
    st.subheader(t("packages.forecaster"))
    facts(
        {
            t("packages.arch"): f"PatchTST ({formats.code(made.arch)})",
            t("packages.context"): _steps(made.context_length, seconds),
            t("packages.horizon"): _steps(made.prediction_length, seconds),
            t("packages.patches"): t("packages.patch_words", length=made.patch_length, stride=made.patch_stride),
            t("packages.heads"): str(made.n_heads),
            t("packages.quantiles"): " · ".join(f"{100 * one:g} %" for one in made.quantiles),
            t("packages.output"): t(f"packages.output_{made.output.kind}"),
        }
    )
    rows = [
        {"name": one.name, "transform": one.transform, "mean": one.mean, "scale": one.scale} for one in made.channels
    ]
    dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch",
        column_config={
            "name": t("packages.channel"), "transform": t("packages.transform"),
            "mean": st.column_config.NumberColumn(t("packages.mean"), format="%.6g"),
            "scale": st.column_config.NumberColumn(t("packages.scale"), format="%.6g"),
        },
    )  # fmt: skip


def _steps(count: int, seconds: int) -> str:
    return t("packages.bars_span", bars=formats.number(count), span=formats.duration(count * seconds))


def _draw_policy(manifest: Manifest) -> None:
    made = manifest.policy
    space, decoder = made.action_space, made.decoder
    actions = t("packages.box", count=len(space.low)) if space.kind == "box" else t("packages.discrete", count=space.n)
    if decoder.kind == "direction":
        read_as = t("packages.direction", index=decoder.index, threshold=formats.number(decoder.threshold, 2))
    else:
        read_as = formats.plain(" · ".join(decoder.signals))
    normal = t("packages.normalised") if made.obs_normalization else t("packages.not_normalised")
    st.subheader(t("packages.policy"))
    facts(
        {
            t("packages.algorithm"): formats.plain(made.algorithm),
            t("packages.net"): " × ".join(str(one) for one in made.net_arch) + f" ({formats.plain(made.activation)})",
            t("packages.observation"): f"{made.obs_dim}: {formats.plain(' + '.join(made.observation))}",
            t("packages.normalisation"): normal,
            t("packages.actions"): actions,
            t("packages.decoder"): read_as,
        }
    )


def _draw_probe(package: PackageDetails, manifest: Manifest) -> None:
    st.subheader(t("packages.probe"))
    st.caption(t("packages.probe_help"))
    found = package.warmup_diagnostics.get("probe")
    if manifest.probe is not None and not found:
        st.markdown(badge("warning", t("packages.probe_waits")))
    else:
        st.markdown(probe_words(found))
    if manifest.versions:
        st.subheader(t("packages.versions"))
        st.markdown(
            " ".join(
                f":gray-badge[{formats.plain(name)} {formats.plain(version)}]"
                for name, version in manifest.versions.items()
            )
        )


def _draw_inferred(inferred: Sequence[str]) -> None:
    if inferred:
        lines = "\n".join(f"- {formats.code(one)}" for one in inferred)
        st.warning(f"**{t('packages.inferred')}**\n\n{lines}", icon=":material/lightbulb:")
    else:
        st.caption(f":material/verified: {t('packages.nothing_inferred')}")


def _draw_report(report: Mapping[str, Any]) -> None:
    """Draw what the trainer measured; a report of another trainer is shown as it is."""
    if not report:
        return
    st.subheader(t("packages.report"))
    verdict = report.get("verdict")
    if isinstance(verdict, list):
        st.markdown("\n".join(f"- {formats.plain(line)}" for line in verdict))
    trading = report.get("trading")
    rows = _outcomes(trading) if isinstance(trading, dict) else []
    if rows:
        dataframe(
            pd.DataFrame(rows), hide_index=True, width="stretch",
            column_config={
                "who": t("packages.who"),
                "final": st.column_config.NumberColumn(t("packages.final_equity"), format="localized"),
                "return": st.column_config.NumberColumn(t("packages.return"), format="%.2f %%"),
                "fall": st.column_config.NumberColumn(t("packages.drawdown"), format="%.2f %%"),
            },
            placeholder=formats.NOTHING,
        )  # fmt: skip
    parts = [
        t("packages.part", part=t(f"packages.part_{part}"), start=formats.plain(str(one.get("start"))[:10]),
          end=formats.plain(str(one.get("end"))[:10]))
        for part in ("fit", "learn", "test") if isinstance(one := report.get(part), dict)
    ]  # fmt: skip
    if parts:
        st.caption(" · ".join(parts))


def _outcomes(trading: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name in ("account", "buy_and_hold_at_limit", "buy_and_hold"):
        one = trading.get(name)
        if isinstance(one, dict):
            rows.append(
                {
                    "who": t(f"packages.who_{name}"), "final": one.get("final_equity"), "return": one.get("return_pct"),
                    "fall": one.get("max_drawdown_pct"),
                }
            )  # fmt: skip
    drawn = trading.get("random")
    if isinstance(drawn, dict):
        rows.append(
            {"who": t("packages.who_random"), "final": drawn.get("final_equity_median"), "return": None, "fall": None}
        )
    return rows
