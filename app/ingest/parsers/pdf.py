def parse(path, limits):
    raise NotImplementedError
