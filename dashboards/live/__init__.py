"""The live app: the pages over a team's store, with filters in the URL (Streamlit).

``attnbench dashboard`` starts it. Streamlit runs ``app.py`` once a visitor, and again on every
change of a filter; the other files are what it consists of.
"""
