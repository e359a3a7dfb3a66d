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
