"""The site of the documents, made by `nox -s site`: nothing is fetched, neither now nor when a page is read."""

project = "claude-observatory"
author = "the authors of claude-observatory"
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["man"]
html_theme = "furo"
html_title = project
html_show_copyright = False
myst_heading_anchors = 4
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
suppress_warnings = ["misc.highlighting_failure"]
html_static_path = ["static"]
html_css_files = ["site.css"]
