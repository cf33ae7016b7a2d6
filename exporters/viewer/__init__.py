"""VIEWER/ of the archive: pages that a person opens offline, by double-click, and what they show of a record.

Optional beside the required part: nothing outside this folder of the archive refers to it. Texts are in `labels`, what is shown of a
record in `record`, the files themselves in `members`; `exporters.readable_page` draws the same record as one page without script.
"""
