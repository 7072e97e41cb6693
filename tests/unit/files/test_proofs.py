from fleetcc.files.folders import Marks
from fleetcc.files.proofs import Proof, Proofs
from fleetcc.includes.disk import Stamp


def _proof(files: dict[bytes, Stamp]) -> Proof:
    return Proof(files, {}, Marks(()), ())


def test_a_proof_is_found_by_the_very_objects() -> None:
    proofs, proof = Proofs(), _proof({b"/x.c": 1})
    proofs.add(proof)
    assert proofs.find(proof.files, proof.listings) is proof
    assert proofs.find(dict(proof.files), proof.listings) is None
    assert proofs.find(proof.files, {}) is None
    proofs.clear()
    assert proofs.find(proof.files, proof.listings) is None


def test_a_source_has_a_few_proofs_and_the_newest_stay() -> None:
    proofs, made = Proofs(), [_proof({b"/x.c": number}) for number in range(6)]
    for proof in made:
        proofs.add(proof)
    found = [proofs.find(proof.files, proof.listings) is not None for proof in made]
    assert found == [False, False, True, True, True, True]


def test_a_new_proof_of_the_same_files_takes_the_olds_place() -> None:
    proofs, old = Proofs(), _proof({b"/x.c": 1})
    new = Proof(old.files, old.listings, Marks(()), ((b"/x.c", 1),))
    proofs.add(old)
    proofs.add(new)
    assert proofs.find(old.files, old.listings) is new


def test_nothing_is_a_set_of_files_too() -> None:
    proofs, proof = Proofs(), _proof({})
    proofs.add(proof)
    assert proofs.find(proof.files, proof.listings) is proof
