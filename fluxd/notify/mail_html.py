"""A message as an HTML mail.

Mail programs know the HTML of 1999: tables for layout, styles in each element. Every ink has its
ground beside it, so that a program that darkens one darkens both; a style sheet for dark schemes is
there for those that read it. All that is filled in is escaped, and addresses are http or https.
"""

from html import escape

from fluxd.core.message import Message
from fluxd.notify.wording import (
    MOST_STORIES,
    actions,
    appeared,
    footer,
    more_metrics,
    one_line,
    subject,
    told_members,
    when,
)

PICTURE_WIDTH, PICTURE_HEIGHT = 640, 240  # as shown; the file has twice as many pixels

_SANS = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_MONO = "ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"
_INK, _INK_2, _LINE, _CARD, _GROUND = "#18211f", "#53605d", "#d9dfdd", "#ffffff", "#f6f7f6"
_ACCENT = "#17636c"

# By what has happened; the text says it too.
_COLOURS = {"resolved": "#23693a", "digest": _ACCENT, "test": _ACCENT}
_ODD = "#b23a0e"
_LABELS = {"opened": "odd", "worsened": "worse", "resolved": "resolved", "test": "test"}

_DARK = (
    "@media(prefers-color-scheme:dark){.g{background:#101514!important}"
    ".c{background:#181f1d!important;border-left-color:#2c3633!important;"
    "border-right-color:#2c3633!important;border-bottom-color:#2c3633!important}"
    ".i,.i a{color:#e7eeeb!important}.m{color:#9fada9!important}"
    ".l{border-color:#2c3633!important}.a{color:#6fc3cd!important}"
    ".b{background:#6fc3cd!important;color:#06201f!important}"
    ".o{background:#181f1d!important;color:#6fc3cd!important;border-color:#6fc3cd!important}}"
)


def html(message: Message, picture: str = "") -> str:
    """Return the mail's HTML; `picture` is the address of the chart (`cid:…`), if it has one."""
    colour = _COLOURS.get(message.kind, _ODD)
    rows = [_heading(message, colour), _sentence(message)]
    if picture and message.picture is not None:
        rows.append(_picture(message, picture))
    rows += [_members(message), _stories(message), _notes(message), _buttons(message)]
    body = "".join(row for row in rows if row)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark">'
        '<meta name="supported-color-schemes" content="light dark">'
        f"<title>{escape(subject(message))}</title><style>{_DARK}</style></head>"
        f'<body class="g" style="margin:0;padding:0;background:{_GROUND}">'
        f'<table class="g" role="presentation" width="100%" cellpadding="0" cellspacing="0" '
        f'style="background:{_GROUND}"><tr><td align="center" style="padding:20px 10px">'
        f'<table class="c" role="presentation" width="100%" cellpadding="0" cellspacing="0" '
        f'style="max-width:680px;background:{_CARD};border:1px solid {_LINE};'
        f'border-top:4px solid {colour};border-radius:8px;text-align:left">{body}</table>'
        f'<p class="m" style="{_font(12, _INK_2)};margin:12px 0 0">{escape(footer(message))}</p>'
        "</td></tr></table></body></html>"
    )


def _font(size_px: int, colour: str, family: str = _SANS) -> str:
    return f"font-family:{family};font-size:{size_px}px;line-height:1.5;color:{colour}"


def _row(content: str, above_px: int = 0) -> str:
    return f'<tr><td style="padding:{above_px}px 20px 16px">{content}</td></tr>'


def _heading(message: Message, colour: str) -> str:
    label = _LABELS.get(message.kind, "digest")
    if message.kind in ("opened", "worsened") and message.severity != "normal":
        label += f" · severity {message.severity}"
    return _row(
        f'<p style="{_font(12, "#ffffff")};margin:0 0 10px"><span style="background:{colour};'
        f'color:#ffffff;border-radius:10px;padding:2px 10px;font-weight:600">{escape(label)}'
        f'</span></p><h1 class="i" style="{_font(20, _INK)};line-height:1.3;font-weight:600;'
        f'margin:0;overflow-wrap:anywhere">{escape(subject(message))}</h1>'
        f'<p class="m" style="{_font(13, _INK_2)};margin:4px 0 0">{escape(when(message))}</p>',
        above_px=20,
    )


def _sentence(message: Message) -> str:
    return _row(
        f'<p class="i" style="{_font(15, _INK)};margin:0;overflow-wrap:anywhere">'
        f"{escape(one_line(message.sentence))}</p>"
    )


def _picture(message: Message, address: str) -> str:
    assert message.picture is not None  # noqa: S101  # the caller looked
    described = f"Chart of {message.picture.title} with the range that was expected"
    return (
        f'<tr><td align="center" style="padding:0 20px 16px"><img src="{escape(address)}" '
        f'width="{PICTURE_WIDTH}" height="{PICTURE_HEIGHT}" alt="{escape(described)}" '
        'style="display:block;width:100%;max-width:640px;height:auto;border:0;border-radius:6px">'
        "</td></tr>"
    )


def _members(message: Message) -> str:
    members = told_members(message)
    if not members:
        return ""
    cells = "".join(
        f'<tr><td class="m l" valign="top" style="{_font(13, _INK_2)};padding:8px 14px 8px 0;'
        f'border-top:1px solid {_LINE};white-space:nowrap">{escape(appeared(one, message))}</td>'
        f'<td class="l" valign="top" style="padding:8px 0;border-top:1px solid {_LINE}">'
        f'<span class="i" style="{_font(13, _INK, _MONO)};overflow-wrap:anywhere">'
        f"{_anchor(one.metric, one.link, 'i')}</span><br>"
        f'<span class="m" style="{_font(13, _INK_2)}">{escape(one_line(one.sentence))}</span>'
        "</td></tr>"
        for one in members
    )
    count = f"{message.metrics:,} metrics, first to appear first" if len(members) > 1 else "Metric"
    more = more_metrics(message)
    last = f'<p class="m" style="{_font(13, _INK_2)};margin:8px 0 0">{more}</p>' if more else ""
    return _row(
        f'<p class="m" style="{_font(13, _INK_2)};margin:0 0 6px">{escape(count)}</p>'
        f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0">{cells}</table>'
        f"{last}"
    )


def _stories(message: Message) -> str:
    if not message.stories:
        return ""
    told = "".join(
        f'<tr><td class="l" style="padding:10px 0;border-top:1px solid {_LINE}">'
        f'<span class="i" style="{_font(14, _INK)};font-weight:600">'
        f"{_anchor(one_line(about), link, 'a')}</span><br>"
        f'<span class="m" style="{_font(13, _INK_2)}">{escape(one_line(sentence))}</span></td></tr>'
        for about, sentence, link in message.stories[:MOST_STORIES]
    )
    left = len(message.stories) - MOST_STORIES
    last = f'<p class="m" style="{_font(13, _INK_2)};margin:8px 0 0">and {left:,} more</p>'
    return _row(
        f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0">{told}</table>'
        f"{last if left > 0 else ''}"
    )


def _notes(message: Message) -> str:
    notes = "".join(
        f'<p class="m" style="{_font(13, _INK_2)};margin:0 0 4px">{escape(one_line(note))}</p>'
        for note in message.notes
    )
    return _row(notes) if notes else ""


def _buttons(message: Message) -> str:
    """Return the links, the first as a filled button."""
    cells = ""
    for at, (label, url) in enumerate(actions(message)):
        ground, ink, name = (_ACCENT, "#ffffff", "b") if at == 0 else (_CARD, _ACCENT, "o")
        cells += (
            f'<td style="padding:0 10px 4px 0"><a class="{name}" href="{escape(url)}" '
            f'style="{_font(14, ink)};display:inline-block;background:{ground};border:1px solid '
            f'{_ACCENT};border-radius:6px;padding:7px 16px;text-decoration:none;font-weight:600">'
            f"{escape(label)}</a></td>"
        )
    if not cells:
        return ""
    return _row(
        f'<table role="presentation" cellpadding="0" cellspacing="0"><tr>{cells}</tr></table>'
    )


def _anchor(label: str, url: str, name: str) -> str:
    """Return a link, or the label alone where the address is none for a browser."""
    if not url.startswith(("https://", "http://")):
        return escape(label)
    colour = _ACCENT if name == "a" else _INK
    return (
        f'<a class="{name}" href="{escape(url)}" style="color:{colour};text-decoration:none">'
        f"{escape(label)}</a>"
    )
