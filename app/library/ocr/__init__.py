"""Text recognition (OCR) of scans and pictures, by an optional set of packages.

A confined program (`child.py`) opens the foreign file, draws its pages and recognises their text; `reading_process.py`
starts it and receives a page at a time. `parsers/scan_pages.py` makes lines of it for the layout that PDF uses.
"""
