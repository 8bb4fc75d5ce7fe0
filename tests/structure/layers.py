"""layers.py -- does every #include point downwards?

 * A room of pipeline/ includes itself and the rooms below it; a stage includes rooms, and no stage.
   So there is no circle between rooms.
 * There is no circle between files either, X.c and X.h being one.
 * CONTRIBUTING.md names the rooms in this order.
 * Kernels see nothing of MPI and HDF5, nor do the headers they include.
 * What reads a finished autoencoder sees nothing of how one is trained, by no way.
"""
from source import C_FILES, fault, files, finish, includes, read, ROOT

# From the ground up.  (Shards name their site, so shard stands above suite; corpus writes shards of
# tokens, so it stands above shard.)
ROOMS = ('base kernels suite shard corpus lm harvest shuffle sae step train '
         'prompts heads circuit methods intervene invert evaluate release driver').split()

READERS = ('pipeline/sae', 'pipeline/evaluate', 'pipeline/release',
           'stages/evaluate.c', 'stages/release.c', 'stages/verify.c')
TRAINERS = ('pipeline/step', 'pipeline/train')
LIBRARIES = ('mpi.h', 'hdf5.h')

sources = files(['pipeline', 'stages'], C_FILES)


def below(path, folders):
    return any(path == folder or path.startswith(folder + '/') for folder in folders)


def resolve(path, name):
    """The file that `#include "name"` in `path` means, from the root; None if there is none."""
    for folder in ('pipeline', '.', path.rpartition('/')[0]):
        if (ROOT / folder / name).is_file():
            return f'{folder}/{name}'.removeprefix('./')
    return None


# Per file: pairs of line and file of this tree; and of line and header of the system.
ours, system = {}, {}
for path in map(str, sources):
    ours[path], system[path] = [], []
    for line, name, foreign in includes(path):
        if foreign:
            system[path].append((line, name))
        elif (target := resolve(path, name)) is None:
            fault(path, line, f'there is no file {name}', 'give its path below pipeline/')
        else:
            ours[path].append((line, target))


def room(path):
    """The height of a file: its room's place in ROOMS; stages stand above all."""
    parts = path.split('/')
    return ROOMS.index(parts[1]) if parts[0] == 'pipeline' else len(ROOMS)


def check_rooms():
    placed = {}
    for path in ours:
        parts = path.split('/')
        if parts[0] == 'pipeline' and parts[1] not in ROOMS and parts[1] not in placed:
            placed[parts[1]] = path
            fault(path, 1, f'the room {parts[1]} has no place',
                  'put it into ROOMS in tests/structure/layers.py')
    for path, edges in ours.items():
        for line, target in edges:
            if path.split('/')[1] in placed or target.split('/')[1] in placed:
                continue
            if target.startswith('stages/'):
                fault(path, line, f'includes the stage {target}', 'stages meet in files only')
            elif target.startswith('tests/'):
                fault(path, line, f'includes {target}', 'the pipeline knows nothing of its tests')
            elif room(target) > room(path):
                fault(path, line, f'points upwards, to {target}',
                      'move what is needed into a room below, or let the caller hand it on')


def check_document():
    there = [room for room in ROOMS if (ROOT / 'pipeline' / room).is_dir()]
    if ' '.join(there) not in ' '.join(read('CONTRIBUTING.md').split()):
        fault('CONTRIBUTING.md', 1, 'does not name the rooms in their order',
              f'write {"  ".join(there)}')


def module(path):
    return path.rpartition('.')[0]


def reached(edges, start):
    """What a module includes, by any way: each with the one before it on a shortest way."""
    came, todo = {}, [start]
    while todo:
        at = todo.pop(0)
        for target in edges.get(at, {}):
            if target not in came:
                came[target] = at
                todo.append(target)
    return came


def check_circles():
    """Of modules that reach each other: those pairs that include each other, or if there is none a
    shortest circle."""
    edges = {}
    for path, found in ours.items():
        for line, target in found:
            if module(target) != module(path):
                edges.setdefault(module(path), {}).setdefault(module(target), (path, line))
    came = {name: reached(edges, name) for name in edges}
    told = set()
    for name in sorted(edges):
        if name not in came[name] or name in told:
            continue
        knot = [other for other in sorted(came[name]) if name in came.get(other, {})]
        circles = [[one, other] for one in knot for other in edges[one]
                   if one < other and one in edges.get(other, {})]
        if not circles:
            way = [came[name][name]]
            while way[0] != name:
                way.insert(0, came[name][way[0]])
            circles = [way]
        for circle in circles:
            path, line = edges[circle[0]][circle[1]]
            fault(path, line, f'is part of a circle: {" -> ".join(circle + circle[:1])}',
                  'one of them must not know the next')
        told.update(knot)


def ways(path):
    """All that a file includes, by any way: pairs of the line where a way begins and its files."""
    found, todo = {}, [(path, 0, [path])]
    while todo:
        at, first, way = todo.pop(0)
        for line, target in ours.get(at, []):
            if target not in found:
                found[target] = (first or line, way + [target])
                todo.append((target, first or line, way + [target]))
    return found.values()


def check_kernels():
    for path in ours:
        if not path.startswith('pipeline/kernels/'):
            continue
        for line, way in [(0, [path]), *ways(path)]:
            for at, name in system.get(way[-1], []):
                if name in LIBRARIES:
                    fault(path, line or at, f'sees <{name}>, by {" -> ".join(way)}',
                          'a kernel gets numbers and gives numbers')


def check_readers():
    for path in ours:
        if not below(path, READERS):
            continue
        # The first step into a trainer's room is the fault; what lies behind it is not another.
        for line, way in ways(path):
            if below(way[-1], TRAINERS) and not any(below(file, TRAINERS) for file in way[:-1]):
                fault(path, line, f'sees how one trains, by {" -> ".join(way)}',
                      'a reader of finished autoencoders needs pipeline/sae only')


check_rooms()
check_document()
check_circles()
check_kernels()
check_readers()
finish('layers', f'{sum(map(len, ours.values()))} includes of {len(ours)} files' if ours else '')
