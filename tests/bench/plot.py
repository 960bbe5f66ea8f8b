"""Plots as plain SVG."""

from xml.sax.saxutils import escape

WIDTH, BAR, GAP, LEFT, TOP = 640, 22, 10, 130, 40
COLOURS = {"milena": "#2a6f97", "kafka": "#b5651d", "floor": "#8a8a8a"}


def bars(title, values):
    """Horizontal bars, one for each name."""
    most = max(values.values()) or 1.0
    height = TOP + len(values) * (BAR + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif"'
        ' font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{GAP}" y="24" font-weight="bold">{escape(title)}</text>',
    ]
    for at, (name, value) in enumerate(values.items()):
        y = TOP + at * (BAR + GAP)
        length = (WIDTH - LEFT - 90) * value / most
        colour = COLOURS.get(name.split()[0], "#444444")
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 16}">{value:,.3g}</text>',
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"
