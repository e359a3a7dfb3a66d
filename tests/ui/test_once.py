"""A button of a change: one wish, one request."""

from streamlit.testing.v1 import AppTest

_PAGE = """
import streamlit as st
from streamlit_ui.states import once
if once(st.button, "Send", key="send"):
    st.session_state["sent"] = st.session_state.get("sent", 0) + 1
st.write(f"sent {st.session_state.get('sent', 0)}")
"""


def test_button_when_clicked_twice_at_once_then_one_change_and_later_another(monkeypatch):
    page = AppTest.from_string(_PAGE).run()
    page.button("send").click().run()
    assert page.button("send").disabled
    page.run()
    page.button("send").click().run()
    assert page.markdown[-1].value == "sent 1"
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    page.run()
    assert not page.button("send").disabled
    page.button("send").click().run()
    assert page.markdown[-1].value == "sent 2"


_FAILS = """
import streamlit as st
from streamlit_ui.states import forget_busy, once, release
forget_busy()
with st.form("form"):
    if once(st.form_submit_button, "Send", key="send"):
        st.session_state["sent"] = st.session_state.get("sent", 0) + 1
        st.error("refused")
st.write(f"sent {st.session_state.get('sent', 0)}")
release()
"""


def test_button_when_the_change_was_refused_then_it_can_be_pressed_again(monkeypatch):
    page = AppTest.from_string(_FAILS).run()
    page.button("send").click().run()
    assert page.error
    assert [one.disabled for one in page.button] == [False]
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    page.button("send_again").click().run()
    assert page.markdown[-1].value == "sent 2"
    page.run()
    assert [one.key for one in page.button] == ["send"]


_AWAY = """
import streamlit as st
from streamlit_ui.states import once, release
if not st.session_state.get("is_away"):
    if once(st.button, "Send", key="send"):
        st.session_state["sent"] = st.session_state.get("sent", 0) + 1
        if st.session_state.get("is_cut_off"):
            st.stop()
    release()
st.write(f"sent {st.session_state.get('sent', 0)}")
"""


def test_click_when_its_run_never_came_to_the_button_then_nothing_is_sent_later():
    page = AppTest.from_string(_AWAY).run()
    page.session_state["is_away"] = True
    page.button("send").click().run()
    page.session_state["is_away"] = False
    page.run()
    assert page.markdown[-1].value == "sent 0"


def test_second_click_when_the_first_is_cut_off_by_it_then_it_is_sent_once_and_said_however_long_it_took(monkeypatch):
    monkeypatch.setattr("streamlit_ui.states.REPEAT_SECONDS", 0.0)
    page = AppTest.from_string(_AWAY).run()
    page.session_state["is_cut_off"] = True
    button = page.button("send")
    button.click().run()
    page.session_state["is_cut_off"] = False
    # The browser has not heard yet that it is disabled.
    button.click().run()
    assert page.markdown[-1].value == "sent 1"
    assert "sent once" in page.toast[0].value
    page.button("send").click().run()
    assert page.markdown[-1].value == "sent 2"
