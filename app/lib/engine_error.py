class EngineError(Exception):
    """Something that stops a start; the text is for the person who starts Refdesk."""
