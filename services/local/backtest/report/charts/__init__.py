"""The charts of the report, as figures for Plotly.

Colours are names of the page's own ("--gain"), which its script replaces by those of the light or
the dark theme. Times are epoch ms shifted to India's, since Plotly draws times as UTC.
"""
